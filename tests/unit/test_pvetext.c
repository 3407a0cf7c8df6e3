// SPDX-License-Identifier: MIT
/* The small pieces of Proxmox's files. */
#include "config.h"

#include "pve/pvetext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "pve/pciaddr.h"

static struct pvetext
span(const char *s)
{
	return (struct pvetext){s, strlen(s)};
}

static const struct {
	const char *text;
	int result;
	uint64_t value;
} numbers[] = {
	{"0", 0, 0},
	{"007", 0, 7},
	{"100", 0, 100},
	{"101", -ERANGE, 0},
	{"18446744073709551616", -ERANGE, 0},
	{"99999999999999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"1k", -EINVAL, 0},
	{"99999999999999999999x", -EINVAL, 0},
};

static void
numbers_are_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t value = 55;
		int r = pvetext_uint(span(numbers[i].text), 100, &value);

		if (r != numbers[i].result || value != (r == 0 ? numbers[i].value : 55))
			fail_msg("%s: %d", numbers[i].text, r);
	}
}

static const struct {
	const char *text;
	int result;
	double value;
} fractions[] = {
	{"0", 0, 0},
	{"2", 0, 2},
	{"1.5", 0, 1.5},
	{"0.25", 0, 0.25},
	{"12.000000000000000000000000000000000000000001", 0, 12},
	{"128.5", -ERANGE, 0},
	{"999999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{".5", -EINVAL, 0},
	{"1.", -EINVAL, 0},
	{"1,5", -EINVAL, 0},
	{"1.5.5", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"nan", -EINVAL, 0},
	{"1.x", -EINVAL, 0},
};

static void
fractions_have_digits_on_both_sides(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
		double value = 55;
		double wanted;
		int r = pvetext_number(span(fractions[i].text), 128, &value);

		wanted = r == 0 ? fractions[i].value : 55;
		if (r != fractions[i].result || value < wanted - 1e-9 ||
			value > wanted + 1e-9)
			fail_msg("%s: %d, %g", fractions[i].text, r, value);
	}
}

static const struct {
	const char *text;
	int value; /* -1: none */
} flags[] = {
	{"0", 0},
	{"1", 1},
	{"on", 1},
	{"Yes", 1},
	{"TRUE", 1},
	{"off", 0},
	{"no", 0},
	{"False", 0},
	{"", -1},
	{"2", -1},
	{"tru", -1},
	{"truex", -1},
	{"01", -1},
};

static void
flags_have_four_words_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		bool value = false;
		int r = pvetext_bool(span(flags[i].text), &value);

		if ((r < 0 ? -1 : (int)value) != flags[i].value)
			fail_msg("%s", flags[i].text);
	}
}

static const struct {
	const char *text;
	const char *set; /* NULL: refused */
} sets[] = {
	{"0", "0"},
	{"0-3;8", "0-3,8"},
	{"8;0-3", "0-3,8"},
	{"3-3", "3"},
	{" 1 ; 2-3 ;", "1-3"},
	{"2047-5000", "2047"},
	{"0;18446744073709551999", "0"},
	{"0-18446744073709551999", "0-2047"},
	{"3-66;70-200;199-263", "3-66,70-263"},
	{"2048", NULL},
	{"", NULL},
	{" ", NULL},
	{";", NULL},
	{"0;;1", NULL},
	{"3-1", NULL},
	{"1-", NULL},
	{"-1", NULL},
	{"1 - 3", NULL},
	{"0,1", NULL},
	{"0x1", NULL},
	{"1-2-3", NULL},
};

static void
sets_are_numbers_and_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct cpuset set = cpuset_of(55);
		char text[CPUSET_TEXT_MAX];
		int r = pvetext_set(span(sets[i].text), ";", &set);
		const char *wanted = sets[i].set != NULL ? sets[i].set : "55";

		cpuset_format(&set, text, sizeof(text));
		if ((r == 0) != (sets[i].set != NULL) || strcmp(text, wanted) != 0)
			fail_msg("%s: %d, %s", sets[i].text, r, text);
	}
}

static const struct {
	const char *value;
	const char *key;
	bool is_default;
	const char *found; /* NULL: @result */
	int result;
} properties[] = {
	{"host=a,pcie=1", "host", true, "a", 0},
	{"pcie=1,host=a", "host", true, "a", 0},
	{"a,pcie=1", "host", true, "a", 0},
	{"pcie=1,,  ,a", "host", true, "a", 0},
	{" host = a b ", "host", true, "a b", 0},
	{"host=a=b", "host", true, "a=b", 0},
	{"host=", "host", true, "", 0},
	{"a", "host", false, NULL, -ENOENT},
	{"hosts=a,xhost=b,=c", "host", true, NULL, -ENOENT},
	{"", "host", true, NULL, -ENOENT},
	{"a,b", "host", true, NULL, -EEXIST},
	{"a,host=a", "host", true, NULL, -EEXIST},
	{"host=a,host=a", "host", false, NULL, -EEXIST},
};

static void
properties_are_found_by_key_or_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(properties); i++) {
		struct pvetext t = span("untouched");
		int r = pvetext_property(span(properties[i].value), properties[i].key,
			properties[i].is_default, &t);
		const char *wanted = r == 0 ? properties[i].found : "untouched";

		if (r != properties[i].result || wanted == NULL ||
			!pvetext_is(t, wanted))
			fail_msg("case %zu: %d, %.*s", i, r, (int)t.len, t.s);
	}
}

static const struct {
	const char *text;
	const char *address; /* NULL: refused */
} addresses[] = {
	{"01:00.0", "0000:01:00.0"},
	{"01:00", "0000:01:00"},
	{"0000:01:00.7", "0000:01:00.7"},
	{" 00AB:cD:1f ", "00ab:cd:1f"},
	{"10000:01:00.0", "10000:01:00.0"},
	{"00000:01:00.0", "0000:01:00.0"},
	{"ffffffff:ff:1f.7", "ffffffff:ff:1f.7"},
	{"123456789:01:00.0", NULL},
	{"000:01:00.0", NULL},
	{"1:00.0", NULL},
	{"01:0.0", NULL},
	{"01:00.", NULL},
	{"01:00.00", NULL},
	{"01:00.8", NULL},
	{"01:20.0", NULL},
	{"01.00.0", NULL},
	{"0000.01:00.0", NULL},
	{"01:00.0/..", NULL},
	{"0000:", NULL},
	{"0000", NULL},
	{"", NULL},
	{"nic", NULL},
};

static void
addresses_are_made_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char out[PCIADDR_MAX] = "untouched";
		int r = pciaddr_parse(span(addresses[i].text), out);
		const char *wanted = addresses[i].address;

		if ((r == 0) != (wanted != NULL) ||
			strcmp(out, wanted != NULL ? wanted : "untouched") != 0)
			fail_msg("%s: %d, %s", addresses[i].text, r, out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_digits),
		cmocka_unit_test(fractions_have_digits_on_both_sides),
		cmocka_unit_test(flags_have_four_words_each),
		cmocka_unit_test(sets_are_numbers_and_ranges),
		cmocka_unit_test(properties_are_found_by_key_or_alone),
		cmocka_unit_test(addresses_are_made_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
