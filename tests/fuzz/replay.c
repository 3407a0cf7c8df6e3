// SPDX-License-Identifier: MIT
/*
 * main() of a fuzz target where there is no libFuzzer: run the target over the files
 * given, or over its corpus (fuzz_NAME: tests/fuzz/corpus/NAME), once each. An empty
 * corpus is a failure: it would prove nothing.
 */
#include "config.h"

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/xalloc.h"

#define INPUT_MAX (1u << 20)

/* Only where the target has these libraries. */
#pragma weak event_set_mem_functions
#pragma weak json_set_alloc_funcs

/* As the programs do. */
static void
let_libraries_abort(void)
{
	if (event_set_mem_functions != NULL)
		event_set_mem_functions(xmalloc, xresize, free);
	if (json_set_alloc_funcs != NULL)
		json_set_alloc_funcs(xmalloc, free);
}

static int
replay_file(const char *path)
{
	auto_free uint8_t *data = xcalloc(INPUT_MAX, 1);
	FILE *f = fopen(path, "rb");
	size_t size;

	if (f == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(data, 1, INPUT_MAX, f);
	(void)fclose(f);
	(void)fprintf(stderr, "%s: %zu bytes\n", path, size);
	/* no byte more: sanitizers see who reads on */
	data = xrealloc(data, size, 1);
	return LLVMFuzzerTestOneInput(data, size);
}

static int
replay_corpus(const char *name)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path = NULL;
	const struct dirent *d;
	unsigned int n = 0;
	int failed = 0;
	DIR *dir;

	path = xasprintf(
		"%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".", name);
	dir = opendir(path);
	if (dir == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((d = readdir(dir)) != NULL) {
		auto_free char *file = NULL;

		if (d->d_name[0] == '.')
			continue;
		file = xasprintf("%s/%s", path, d->d_name);
		failed |= replay_file(file);
		n++;
	}
	(void)closedir(dir);
	return n == 0 || failed;
}

int
main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	int failed = 0;

	let_libraries_abort();
	base = base != NULL ? base + 1 : argv[0];
	if (argc == 1 && strncmp(base, "fuzz_", 5) == 0)
		return replay_corpus(base + 5);
	for (int i = 1; i < argc; i++)
		failed |= replay_file(argv[i]);
	return failed;
}
