// SPDX-License-Identifier: MIT
/* Replays the corpus of the varlink fuzzer: every input that once mattered still
 * passes. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(const char *path)
{
	struct strbuf b = {0};
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("cannot read %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&b, chunk, n);
	(void)fclose(f);
	print_message("%s\n", path);
	/* A copy of the exact size, so that a sanitizer sees a byte too many. */
	auto_free char *exact = xcalloc(b.len, 1);
	if (b.len > 0)
		memcpy(exact, b.s, b.len);
	assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)exact, b.len), 0);
	strbuf_fini(&b);
}

static void
corpus_passes(void **state)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *dir = xasprintf(
		"%s/tests/fuzz/corpus/varlink", srcdir != NULL ? srcdir : ".");
	DIR *d = opendir(dir);
	unsigned int seen = 0;

	(void)state;
	if (d == NULL)
		fail_msg("cannot read %s", dir);
	for (const struct dirent *entry = readdir(d); entry != NULL;
		entry = readdir(d)) {
		auto_free char *path = xasprintf("%s/%s", dir, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		replay(path);
		seen++;
	}
	(void)closedir(d);
	assert_true(seen >= 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
