// SPDX-License-Identifier: MIT
/* What a line is: what is read, what is refused, and with which line number. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "conf/inifile.h"

/* All that was told, one line an item: "7 [section] key=<value>". */
static int
tell_section(void *owner, const struct inifile_item *item, struct err *e UNUSED)
{
	strbuf_addf(owner, "%u [%s]\n", item->line, item->section);
	return 0;
}

static int
tell_value(void *owner, const struct inifile_item *item, struct err *e)
{
	strbuf_addf(owner, "%u [%s] %s=<%s>\n", item->line, item->section, item->key,
		item->value);
	if (strcmp(item->key, "refuse") == 0)
		return err_set(e, -ERANGE, item->file, item->line, "refused");
	return 0;
}

static int
parse(const char *text, size_t len, struct strbuf *told, struct err *e)
{
	static const struct inifile_handler handler = {tell_section, tell_value};

	return inifile_parse(text, len, "f", &handler, told, e);
}

/* Fails unless @text is read as @want. */
static void
expect_told(const char *text, const char *want)
{
	struct strbuf told = {0};
	struct err e = ERR_NONE;
	int r = parse(text, strlen(text), &told, &e);

	if (r != 0 || strcmp(strbuf_text(&told), want) != 0)
		fail_msg("%s\nr = %d %s\ntold:\n%s", text, r, e.text,
			strbuf_text(&told));
	strbuf_fini(&told);
}

/* Fails unless @text is refused with @line and @reason in the text. */
static void
expect_refused(const char *text, size_t len, unsigned int line, const char *reason)
{
	struct strbuf told = {0};
	struct err e = ERR_NONE;
	int r = parse(text, len, &told, &e);

	if (r != -EINVAL || e.line != line || strstr(e.text, reason) == NULL)
		fail_msg("\"%s\": r = %d, line %u: %s; wanted line %u: %s", text, r,
			e.line, e.text, line, reason);
	assert_string_equal(e.source, "f");
	strbuf_fini(&told);
}

static void
reads_sections_keys_and_comments(void **state UNUSED)
{
	expect_told("", "");
	expect_told("\n\n  \n", "");
	expect_told("; c\n# c\n  # c [x\n", "");
	expect_told("[a]", "1 [a]\n");
	expect_told("[a]\n[b]\n\n[a]\n", "1 [a]\n2 [b]\n4 [a]\n");
	expect_told("\n[a]\n;\nk = v w\n", "2 [a]\n4 [a] k=<v w>\n");
	expect_told("[a]\nk=v\nl:w", "1 [a]\n2 [a] k=<v>\n3 [a] l=<w>\n");
	expect_told("[a] ; c\nk = v ; c\nl = v;w\nm = #1\n",
		"1 [a]\n2 [a] k=<v>\n3 [a] l=<v;w>\n4 [a] m=<#1>\n");
	expect_told("[a]\nk =\nl = ;c\n", "1 [a]\n2 [a] k=<>\n3 [a] l=<>\n");
	expect_told("[a]\r\nk = v\r\n", "1 [a]\n2 [a] k=<v>\n");
	expect_told("[vm \xc3\xa9]\nk\xc3\xa9 = \xe2\x82\xac\n",
		"1 [vm \xc3\xa9]\n2 [vm \xc3\xa9] k\xc3\xa9=<\xe2\x82\xac>\n");
	expect_told("\xef\xbb\xbf[a]\nk=v\n", "1 [a]\n2 [a] k=<v>\n");
}

/* libinih alone appends an indented line to the value before it. */
static void
indented_lines_are_lines_of_their_own(void **state UNUSED)
{
	expect_told("[a]\n  k = v\n\tl = w\n  [b]\n k = x\n",
		"1 [a]\n2 [a] k=<v>\n3 [a] l=<w>\n4 [b]\n5 [b] k=<x>\n");
	expect_refused("[a]\nk = 0-3,\n  4-7\n", 17, 3, "key = value");
}

static void
bad_lines_are_refused_with_their_number(void **state UNUSED)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *reason;
	} cases[] = {
		{"[a]\n\n[b\nk=v\n", 3, "missing ]"},
		{"[a ; ]\n", 1, "missing ]"},
		{"[a] k = v\n", 1, "text after ]"},
		{"[a]]\n", 1, "text after ]"},
		{"[]\n", 1, "empty section"},
		{"[a]\nword\nk=v\n", 2, "key = value"},
		{"[a]\nk=v\nword", 3, "key = value"},
		{"[a]\nk ; = v\n", 2, "key = value"},
		{"[a]\n= v\n", 2, "no key"},
		{"k = v\n[a]\n", 1, "before the first [section]"},
		{"[a]\nk = 1\n\nk = 1\n", 4, "\"k\" is already set in line 2"},
		{"[a]\nk=1\n[b]\nk=1\n[a]\nk=1\n", 6, "set in line 2"},
		{"[a]\nk = a\rb\n", 2, "control character 0x0d"},
		{"[a]\nk = \x1b[0m\n", 2, "control character 0x1b"},
		{"; \x7f\n", 1, "control character 0x7f"},
		{"[a]\n; \xff\n", 2, "not UTF-8 (byte 0xff)"},
		{"\xc0\xaf\n", 1, "not UTF-8"}, /* overlong */
		{"\xe0\x80\xaf\n", 1, "not UTF-8"},
		{"\xf0\x80\x80\xaf\n", 1, "not UTF-8"},
		{"\xed\xa0\x80\n", 1, "not UTF-8"},	/* surrogate */
		{"\xf4\x90\x80\x80\n", 1, "not UTF-8"}, /* above U+10FFFF */
		{"\xe2\x82", 1, "not UTF-8"},		/* cut */
		{"\xe2\x82\n\xac", 1, "not UTF-8"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_refused(cases[i].text, strlen(cases[i].text), cases[i].line,
			cases[i].reason);
	expect_refused("[a]\nk = v\0w\n", 12, 2, "NUL byte");
	expect_refused("\0", 1, 1, "NUL byte");
	expect_refused("\xe2\x82\xac", 2, 1, "not UTF-8"); /* cut by the length */
}

static void
utf8_of_every_length_is_read(void **state UNUSED)
{
	expect_told(
		"; \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"
		" \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\n",
		"");
}

static void
the_handler_can_end_the_reading(void **state UNUSED)
{
	const char *text = "[a]\nk=1\nrefuse=1\nl=1\n";
	struct strbuf told = {0};
	struct err e = ERR_NONE;

	assert_int_equal(parse(text, strlen(text), &told, &e), -ERANGE);
	assert_int_equal(e.line, 3);
	assert_string_equal(
		strbuf_text(&told), "1 [a]\n2 [a] k=<1>\n3 [a] refuse=<1>\n");
	strbuf_fini(&told);
}

/* libinih alone cuts section names at 49 bytes. */
static void
names_are_read_whole_or_refused(void **state UNUSED)
{
	char text[400];
	char want[400];
	const int section = INIFILE_SECTION_MAX - 1;
	const int key = INIFILE_KEY_MAX - 1;

	(void)snprintf(text, sizeof(text), "[%0*d]\n%0*d=v\n", section, 1, key, 2);
	(void)snprintf(want, sizeof(want), "1 [%0*d]\n2 [%0*d] %0*d=<v>\n", section, 1,
		section, 1, key, 2);
	expect_told(text, want);
	(void)snprintf(text, sizeof(text), "\n[%0*d]\n", section + 1, 1);
	expect_refused(text, strlen(text), 2, "section name is longer");
	(void)snprintf(text, sizeof(text), "[a]\nk=v\n%0*d=v\n", key + 1, 2);
	expect_refused(text, strlen(text), 3, "key is longer");
	(void)snprintf(text, sizeof(text), "[a]\nk=v\n%0*d=v\n", 300, 2);
	expect_refused(text, strlen(text), 3, "key = value");
}

/* Append a value of about @len bytes without blanks at its ends. */
static void
add_random_value(struct strbuf *b, unsigned int *seed, size_t len)
{
	static const char bytes[] = "ab,09=:;#[] \"";

	strbuf_adds(b, "a");
	for (size_t i = 0; i < len; i++) {
		char c = bytes[(size_t)rand_r(seed) % (sizeof(bytes) - 1)];

		/* " ;" would open a comment */
		strbuf_add(b, c == ';' && b->s[b->len - 1] == ' ' ? "x" : &c, 1);
	}
	strbuf_adds(b, "z");
}

/* libinih alone takes what is behind the 199th byte for a line of its own. */
static void
long_values_arrive_whole(void **state UNUSED)
{
	for (unsigned int seed = 1; seed <= 300; seed++) {
		unsigned int random = seed;
		struct strbuf value = {0};
		struct strbuf text = {0};
		struct strbuf want = {0};

		add_random_value(&value, &random, (size_t)rand_r(&random) % 4000);
		strbuf_addf(&text, "[a]\nk = %s\nl = 1\n", strbuf_text(&value));
		strbuf_addf(&want, "1 [a]\n2 [a] k=<%s>\n3 [a] l=<1>\n",
			strbuf_text(&value));
		expect_told(strbuf_text(&text), strbuf_text(&want));
		strbuf_fini(&value);
		strbuf_fini(&text);
		strbuf_fini(&want);
	}
}

static void
over_long_lines_are_refused(void **state UNUSED)
{
	struct strbuf b = {0};

	strbuf_addf(&b, "[a]\n; %0*d\r\n%0*d\n", (int)INIFILE_LINE_MAX - 2, 0,
		(int)INIFILE_LINE_MAX + 1, 0);
	expect_refused(strbuf_text(&b), b.len, 3, "longer than 4096 bytes");
	strbuf_fini(&b);
	strbuf_addf(&b, "[a]\nk = a%*sb\n", 400, "");
	expect_refused(strbuf_text(&b), b.len, 2, "blanks in a row");
	strbuf_fini(&b);
}

static void
files_over_the_cap_are_refused(void **state UNUSED)
{
	size_t len = INIFILE_BYTES_MAX + 1;
	char *text = malloc(len);
	struct strbuf told = {0};
	struct err e = ERR_NONE;

	assert_non_null(text);
	memset(text, '\n', len);
	assert_int_equal(parse(text, len - 1, &told, &e), 0);
	assert_int_equal(parse(text, len, &told, &e), -EINVAL);
	assert_int_equal(e.line, 0);
	assert_non_null(strstr(e.text, "larger than 1048576 bytes"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections_keys_and_comments),
		cmocka_unit_test(indented_lines_are_lines_of_their_own),
		cmocka_unit_test(bad_lines_are_refused_with_their_number),
		cmocka_unit_test(utf8_of_every_length_is_read),
		cmocka_unit_test(the_handler_can_end_the_reading),
		cmocka_unit_test(names_are_read_whole_or_refused),
		cmocka_unit_test(long_values_arrive_whole),
		cmocka_unit_test(over_long_lines_are_refused),
		cmocka_unit_test(files_over_the_cap_are_refused),
	};

	return cmocka_run_group_tests_name("inifile", tests, NULL, NULL);
}
