// SPDX-License-Identifier: MIT
/* The text of a measurement, damaged: what was changed is noticed, and what was written
 * by somebody else is refused with its line. */
#include "config.h"

#include "probe/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cache_texts.h"
#include "mutate.h"

/* Refused at @line with @part in the message, and the output is as before. */
static void
expect_refused(const char *text, size_t len, unsigned int line, const char *part)
{
	struct cache c = {.measured_s = 77};
	struct err e = ERR_NONE;
	int r = cache_parse(text, len, "f", &c, &e);

	if (r != -EINVAL || e.line != line || strstr(e.text, part) == NULL)
		fail_msg("%d, line %u: \"%s\"; wanted line %u: \"%s\"", r, e.line,
			e.text, line, part);
	assert_int_equal(c.measured_s, 77);
	assert_null(c.matrix);
	assert_null(c.places);
}

/* Make the checksum right again. */
static void
mend(char *text, size_t len)
{
	char sum[HASH_TEXT_MAX];

	hash_text(text + BODY_AT, len - BODY_AT, sum);
	memcpy(text + BODY_AT - sizeof(sum), sum, sizeof(sum) - 1);
}

/* @text with @from replaced and the checksum made right; free() it. */
static char *
edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text + BODY_AT, from);
	char *s;

	if (at == NULL)
		fail_msg("there is no \"%s\"", from);
	s = xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	mend(s, strlen(s));
	return s;
}

/* Texts whose checksum is right, but nothing else: somebody wrote them by hand. */
static void
a_text_that_contradicts_itself_is_refused(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		unsigned int line;
		const char *part;
	} cases[] = {
		{"# fingerprint 0", "# fingerprint ", 3, "not a fingerprint"},
		{"00c0ffee", "00C0FFEE", 3, "not a fingerprint"},
		{"00c0ffee", "00c0ffee0", 3, "too much"},
		{"# host A", "# host\tA", 4, "\"# host \""},
		{"# host A", "# host \x7f", 4, "character"},
		{"# host A CPU, microcode 0x1", "# host ", 4, "no text"},
		{"1700000000", "-1", 5, "not a time"},
		{"1700000000", "1 ", 5, "not a time"},
		{"1700000000", "18446744073709551616", 5, "not a time"},
		{"# place 0 0", "# place 2048 0", 6, "not a CPU number"},
		{"# place 2 2", "# place 0 2", 7, "ascending"},
		{"# place 2 2", "# place 2  2", 7, "not the place"},
		{"-1 -1 131072", "-1 -1 131072 5", 8, "not the place"},
		{"-1 -1 131072", "-1 -1 2147483648", 8, "not the place"},
		{"-1 -1 131072", "-1 -1", 8, "not the place"},
		{"# visits 2 4\n", "", 9, "about CPU 3, not CPU 2"},
		{"# visits 3 0z", "# visits 3 0", 10, "one character for each pair"},
		{"# visits 3 0z", "# visits 3 0z0", 10, "one character for each pair"},
		{"# visits 3 0z", "# visits 3 0~", 10, "a character"},
		{"# confidence 2 o", "# confidence 2 p", 11, "a character"},
		{"# confidence 2 o\n", "", 11, "about CPU 3"},
		{"cpu,0,2,3", "cpu,0,2", 13, "one column for each CPU"},
		{"cpu,0,2,3", "cpu,0,2,3,4", 13, "one column for each CPU"},
		{"cpu,0,2,3", "cpu,0,3,2", 13, "about CPU 3, not CPU 2"},
		{"cpu,0,2,3", "CPU,0,2,3", 13, "begins with \"cpu\""},
		{"\n0,,,", "\n0,5,,", 14, "one cell for each CPU"},
		{"2,100.5,,", "2,100.5,1,", 15, "one cell for each CPU"},
		{"2,100.5,,", "2,100.5,,1", 15, "above the diagonal"},
		{"2,100.5,,", "2,100.5,,,", 15, "more cells"},
		{"2,100.5,,", "3,100.5,,", 15, "about CPU 3, not CPU 2"},
		{"100.5", "-100.5", 15, "not a latency"},
		{"100.5", "nan", 15, "not a latency"},
		{"100.5", "100001", 15, "not a latency"},
		{"100.5", "1e999", 15, "not a latency"},
		{"100.5", "0", 15, "not a latency"},
		{"3,,8.07,\n", "", 16, "ends too early"},
		{"3,,8.07,\n", "3,,8.07,", 16, "cut short"},
		{"3,,8.07,\n", "3,,8.07,\n4,,,\n", 16, "more text"},
		{"3,,8.07,\n", "3,,8.07,\n\n", 16, "more text"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text = edited(small_text, cases[i].from, cases[i].to);

		print_message("%u: %s -> %s\n", i, cases[i].from, cases[i].to);
		expect_refused(text, strlen(text), cases[i].line, cases[i].part);
	}
}

static void
other_files_and_versions_are_refused(void **state)
{
	static const char other[] = "# qmpin latency 2\n# something new\n";
	static const char nul[] = "# qmpin latency 1\0\n";
	char *text = xstrdup(small_text);

	(void)state;
	expect_refused("", 0, 1, "ends too early");
	expect_refused("0,1\n", 4, 1, "\"# qmpin latency \"");
	expect_refused("# qmpin latency 1", 17, 1, "cut short");
	expect_refused("# qmpin latency 1x\n", 19, 1, "not a version");
	expect_refused(nul, sizeof(nul) - 1, 1, "not a version");
	expect_refused(other, sizeof(other) - 1, 1, "format 2, but only 1 is known");
	text[BODY_AT - 3] = 'F';
	expect_refused(text, strlen(text), 2, "checksum");
	free(text);
	expect_refused(small_text, (size_t)CACHE_BYTES_MAX + 1, 0, "at most");
}

static void
a_text_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len + 1 < sizeof(small_text); len++) {
		auto_free char *cut = xmemdupz(small_text, len);
		struct cache c;

		assert_int_equal(cache_parse(cut, len, "f", &c, NULL), -EINVAL);
	}
}

static void
damage_anywhere_is_noticed(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) | 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 20000; i++) {
		auto_free char *text = xcalloc(sizeof(small_text) + 8, 1);
		size_t len = sizeof(small_text) - 1;
		struct cache c;

		memcpy(text, small_text, len);
		len = mutate_text(text, len, len + 8, &seed);
		if (cache_parse(text, len, "f", &c, NULL) < 0)
			continue;
		if (len != sizeof(small_text) - 1 || memcmp(text, small_text, len) != 0)
			fail_msg("accepted: %.*s", (int)len, text);
		cache_fini(&c);
	}
}

/* The same with a checksum that is right: it may be accepted, but is read as written.
 */
static void
what_is_accepted_says_the_same_when_written_again(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) | 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < 20000; i++) {
		auto_free char *text = xcalloc(sizeof(small_text) + 8, 1);
		size_t len = sizeof(small_text) - 1 - BODY_AT;
		struct cache c;

		memcpy(text, small_text, sizeof(small_text));
		len = mutate_text(text + BODY_AT, len, len + 8, &seed);
		mend(text, BODY_AT + len);
		if (cache_parse(text, BODY_AT + len, "f", &c, NULL) == 0) {
			assert_stable(&c);
			cache_fini(&c);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_that_contradicts_itself_is_refused),
		cmocka_unit_test(other_files_and_versions_are_refused),
		cmocka_unit_test(a_text_cut_anywhere_is_refused),
		cmocka_unit_test(damage_anywhere_is_noticed),
		cmocka_unit_test(what_is_accepted_says_the_same_when_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
