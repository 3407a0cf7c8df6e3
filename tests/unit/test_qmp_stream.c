// SPDX-License-Identifier: MIT
/* The corpus of the QMP fuzzer, whole and cut off. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"

#define CORPUS "tests/fuzz/corpus/qmp_stream"
#define FILE_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static size_t
load(const char *folder, const char *name, uint8_t *data)
{
	auto_free char *path = xasprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, FILE_MAX, f);
	fclose(f);
	return n;
}

static void
the_corpus_of_the_fuzzer_passes(void **state)
{
	static uint8_t data[FILE_MAX];
	const char *srcdir = getenv("srcdir");
	auto_free char *folder = xasprintf("%s/" CORPUS, srcdir != NULL ? srcdir : ".");
	struct dirent **entries;
	int n = scandir(folder, &entries, is_shown, alphasort);

	(void)state;
	assert_true(n >= 10);
	for (int i = 0; i < n; i++) {
		size_t size = load(folder, entries[i]->d_name, data);
		size_t step = size / 200 + 1;

		print_message("%s: %zu bytes\n", entries[i]->d_name, size);
		assert_int_equal(LLVMFuzzerTestOneInput(data, size), 0);
		for (size_t cut = 0; cut < size; cut += step)
			assert_int_equal(LLVMFuzzerTestOneInput(data, cut), 0);
		free(entries[i]);
	}
	free(entries);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_corpus_of_the_fuzzer_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
