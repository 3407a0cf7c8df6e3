// SPDX-License-Identifier: MIT
/* Pictures of latencies: the order of CPUs, colours, and pictures on a terminal. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/axis.h"
#include "ctl/heatmap.h"
#include "ctl/palette.h"
#include "ctl/scale.h"
#include "heat_hosts.h"

#define TRUE_COLOURS (1u << 24)

/* --- Order --------------------------------------------------------------------------
 */

static void
expect_order(const struct ctl_latency *l, const unsigned int *want, unsigned int n)
{
	struct axis a;

	assert_int_equal(l->matrix->n, n);
	axis_init(&a, l);
	for (unsigned int i = 0; i < n; i++) {
		if (a.row[i] != want[i])
			fail_msg("position %u: row %u, not %u", i, a.row[i], want[i]);
	}
	axis_fini(&a);
}

static void
domains_of_all_tiers_are_contiguous(void **state)
{
	static const char *const cores[] = {"0,4", "1,5", "2,6", "3,7"};
	static const char *const nodes[] = {"0,2,4,6", "1,3,5,7"};
	static const char *const all[] = {"0-7"};
	static const unsigned int want[] = {0, 4, 2, 6, 1, 5, 3, 7};
	struct ctl_latency l = heat_plain(8, 10);

	(void)state;
	heat_tier(&l, 8, cores, 4);
	heat_tier(&l, 30, nodes, 2);
	heat_tier(&l, 99, all, 1);
	expect_order(&l, want, 8);
	ctl_latency_fini(&l);
}

static void
without_tiers_the_order_is_that_of_the_numbers(void **state)
{
	static const unsigned int want[] = {0, 1, 2, 3};
	struct ctl_latency l = heat_plain(4, 10);

	(void)state;
	expect_order(&l, want, 4);
	ctl_latency_fini(&l);
}

static void
tiers_that_do_not_nest_or_cover_still_give_every_row_once(void **state)
{
	static const char *const pairs[] = {"0-1", "5"};
	static const char *const across[] = {"1-2", "0,3"};
	struct ctl_latency l = heat_plain(6, 10);
	struct axis a;
	unsigned int seen = 0;

	(void)state;
	heat_tier(&l, 8, pairs, 2);
	heat_tier(&l, 30, across, 2);
	axis_init(&a, &l);
	for (unsigned int i = 0; i < 6; i++)
		seen |= 1u << a.row[i];
	axis_fini(&a);
	assert_int_equal(seen, 0x3f);
	ctl_latency_fini(&l);
}

static void
labels_keep_their_distance_and_mark_the_widest_domains(void **state)
{
	struct ctl_latency l = heat_host(48);
	bool labelled[48];
	struct axis a;

	(void)state;
	axis_init(&a, &l);
	for (unsigned int gap = 1; gap <= 48; gap++) {
		int last = -1;

		axis_labels(&a, gap, labelled);
		assert_true(labelled[0]);
		assert_true(gap > 24 || labelled[24]);
		for (unsigned int at = 0; at < 48; at++) {
			if (!labelled[at])
				continue;
			if (last >= 0 && at - (unsigned int)last < gap)
				fail_msg("gap %u: labels at %d and %u", gap, last, at);
			last = (int)at;
		}
	}
	axis_fini(&a);
	ctl_latency_fini(&l);
}

/* --- Colours ------------------------------------------------------------------------
 */

static unsigned int
lightness(struct palette_rgb c)
{
	return 299u * c.r + 587u * c.g + 114u * c.b;
}

static void
farther_is_always_darker(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < PALETTE_LEVELS; i++) {
		if (lightness(palette_of_level(i)) >=
			lightness(palette_of_level(i - 1)))
			fail_msg("level %u is not darker than the one before", i);
	}
	for (unsigned int i = 1; i < 100; i++) {
		if (lightness(palette_heat_256(i / 100.0)) >
			lightness(palette_heat_256((i - 1) / 100.0)))
			fail_msg("at %u %% a terminal's colour is lighter", i);
	}
	assert_int_equal(palette_level(-1), 0);
	assert_int_equal(palette_level(2), PALETTE_LEVELS - 1);
}

static void
vms_next_to_each_other_have_different_colours(void **state)
{
	(void)state;
	for (size_t i = 1; i < 300; i++) {
		struct palette_rgb a = palette_vm(i - 1);
		struct palette_rgb b = palette_vm(i);
		int far = abs(a.r - b.r) + abs(a.g - b.g) + abs(a.b - b.b);

		if (far < 60)
			fail_msg("VMs %zu and %zu look alike", i - 1, i);
	}
}

static void
terminals_of_256_colours_get_the_nearest_one(void **state)
{
	(void)state;
	assert_int_equal(palette_256((struct palette_rgb){0, 0, 0}), 16);
	assert_int_equal(palette_256((struct palette_rgb){255, 255, 255}), 231);
	assert_int_equal(palette_256((struct palette_rgb){254, 1, 3}), 196);
	assert_int_equal(palette_256((struct palette_rgb){127, 129, 128}), 244);
}

static void
one_wild_value_does_not_take_all_colours(void **state)
{
	struct ctl_latency l = heat_host(64);
	struct scale s;

	(void)state;
	matrix_at(l.matrix, 3, 1)->ns = 90000;
	scale_fit(l.matrix, &s);
	assert_true(s.cut);
	assert_int_equal((int)s.lo_ns, 8);
	assert_int_equal((int)s.hi_ns, 220);
	assert_true(scale_at(&s, 90000) >= 1 && scale_at(&s, 90000) <= 1);
	ctl_latency_fini(&l);
}

static void
a_flat_host_has_one_colour(void **state)
{
	struct ctl_latency l = heat_plain(8, 39.5f);
	struct scale s;

	(void)state;
	matrix_at(l.matrix, 2, 1)->ns = 40;
	scale_fit(l.matrix, &s);
	assert_false(s.log);
	assert_true(scale_at(&s, 40) < 0.05);
	ctl_latency_fini(&l);
}

static void
a_wide_range_is_logarithmic(void **state)
{
	struct ctl_latency l = heat_host(16);
	struct scale s;
	double ticks[16];
	size_t n;

	(void)state;
	scale_fit(l.matrix, &s);
	assert_true(s.log);
	/* Near tiers get their share. */
	assert_true(scale_at(&s, 25) > 0.3);
	n = scale_ticks(&s, ticks, 16);
	assert_in_range(n, 3, 8);
	for (size_t i = 0; i < n; i++)
		assert_true(ticks[i] >= s.lo_ns && ticks[i] <= s.hi_ns);
	ctl_latency_fini(&l);
}

/* --- Terminals ----------------------------------------------------------------------
 */

/* Its length when escape sequences are left out, and what colours are left on. */
static unsigned int
width_of(const char *line, size_t len, bool *coloured)
{
	unsigned int width = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c == '\033') {
			*coloured = strncmp(&line[i], "\033[0m", 4) != 0;
			while (line[i] != 'm')
				i++;
			continue;
		}
		assert_true(c >= ' ' && c != 0x7f);
		width += c >> 6 != 2;
	}
	return width;
}

static void
expect_fits(const char *text, unsigned int columns)
{
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		bool coloured = false;
		unsigned int width = width_of(p, len, &coloured);

		if (width > columns)
			fail_msg("%u columns, not %u: %.*s", width, columns, (int)len,
				p);
		if (coloured)
			fail_msg("colours are left on: %.*s", (int)len, p);
		assert_int_equal(p[len], '\n');
		p += len + 1;
	}
}

static void
text_fits_any_width_and_leaves_no_colours(void **state)
{
	static const unsigned int sizes[] = {16, 24, 64, 192};
	static const unsigned int colours[] = {0, 256, TRUE_COLOURS};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ctl_latency l = heat_host(sizes[i]);
		const struct heatmap h = {&l, heat_hostile, heat_vms(), 3, false};

		str_copy(l.source, sizeof(l.source), heat_hostile);
		matrix_at(l.matrix, 5, 2)->ns = 0;
		for (unsigned int columns = 20; columns < 220; columns += 7) {
			for (size_t c = 0; c < ARRAY_LEN(colours); c++) {
				auto_free char *text =
					heatmap_text(&h, columns, colours[c]);

				expect_fits(text, columns);
				assert_int_equal(
					colours[c] == 0, strchr(text, '\033') == NULL);
			}
		}
		ctl_latency_fini(&l);
	}
}

static void
expect_text(const struct heatmap *h, unsigned int columns, const char *want)
{
	auto_free char *text = heatmap_text(h, columns, 0);

	assert_string_equal(text, want);
}

/* Names are shown in the terminal's own characters, bad ones are not. */
static void
names_are_in_utf8_where_that_can_be_shown(void **state)
{
	static const struct {
		const char *name;
		const char *utf8;
		const char *ascii;
	} cases[] = {
		{"B\xc3\xbc"
		 "cher",
			" B\xc3\xbc"
			"cher\n",
			" B\\xc3\\xbccher\n"},
		{"\xe6\x97\xa5\xe6\x9c\xac", " \xe6\x97\xa5\xe6\x9c\xac\n",
			" \\xe6\\x97\\xa5\\xe6\\x9c\\xac\n"},
		{"a\x1b[1m\\", " a\\x1b[1m\\\\\n", " a\\x1b[1m\\\\\n"},
		/* a control character, a change of direction, no UTF-8 */
		{"\xc2\x9b", " \\xc2\\x9b\n", " \\xc2\\x9b\n"},
		{"\xe2\x80\xae", " \\xe2\\x80\\xae\n", " \\xe2\\x80\\xae\n"},
		{"\xc3", " \\xc3\n", " \\xc3\n"},
		{"\xc0\x80", " \\xc0\\x80\n", " \\xc0\\x80\n"},
	};
	struct ctl_latency l = heat_plain(4, 104);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct heatmap_vm vm = {"100", cases[i].name, CPUSET_NONE};
		struct heatmap h = {&l, "Host", &vm, 1, true};
		auto_free char *text = heatmap_text(&h, 80, 0);
		auto_free char *plain = NULL;

		h.utf8 = false;
		plain = heatmap_text(&h, 80, 0);
		if (strstr(text, cases[i].utf8) == NULL ||
			strstr(plain, cases[i].ascii) == NULL)
			fail_msg("case %zu: %s%s", i, text, plain);
	}
	ctl_latency_fini(&l);
}

/* At its end there is room for so many columns, not bytes. */
static void
a_long_name_ends_at_the_edge_with_a_whole_character(void **state)
{
	static const char bytes[] = "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
				    "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5";
	struct heatmap_vm vm = {"100", bytes, CPUSET_NONE};
	struct ctl_latency l = heat_plain(4, 104);
	const struct heatmap h = {&l, "Host", &vm, 1, true};
	/* 4 of the id, 16 of the CPUs, a blank: 10 are left */
	auto_free char *text = heatmap_text(&h, 31, 0);
	const char *name = strstr(text, " \xe6");

	(void)state;
	assert_non_null(name);
	assert_int_equal(strcspn(name, "\n"), 1 + 5 * 3);
	ctl_latency_fini(&l);
}

static void
a_few_cpus_are_a_table(void **state)
{
	static const char *const all[] = {"0-3"};
	struct ctl_latency l = heat_plain(4, 104);
	struct heatmap_vm vm = {"100", "web", cpuset_below(2)};
	const struct heatmap h = {&l, "Host", &vm, 1, false};

	(void)state;
	heat_tier(&l, 104, all, 1);
	str_copy(l.source, sizeof(l.source), "class model");
	matrix_at(l.matrix, 1, 0)->ns = 8.25f;
	matrix_at(l.matrix, 3, 0)->ns = 0;
	expect_text(&h, 80,
		"Host\n"
		"class model\n"
		"4 CPUs, not trusted: the whole host is one tier, 1 of 6 pairs "
		"without result\n"
		"\n"
		"      0   1   2   3\n"
		"  0   - 8.2 104   ?\n"
		"  1 8.2   - 104 104\n"
		"  2 104 104   - 104\n"
		"  3   ? 104 104   -\n"
		"100 ########........ web\n"
		"\n"
		"8.2 @@@@@#####*****+++++=====-----:::::..... 104 ns, logarithmic\n"
		"? no result\n"
		"tier 1: 104 ns, all 4 CPUs\n");
	ctl_latency_fini(&l);
}

static void
more_are_shades_with_near_domains_dense(void **state)
{
	struct ctl_latency l = heat_host(32);
	const struct heatmap h = {&l, "Host", NULL, 0, false};
	auto_free char *text = heatmap_text(&h, 80, 0);

	(void)state;
	heat_expect_has(text, "\n 0 @@@@************::::::::::::::::................");
	heat_expect_has(text, "\n16 @@@@************::::::::::::::::................");
	heat_expect_has(
		text, "\n31 ................................::::::::::::::::****");
	heat_expect_lacks(text, "?");
	ctl_latency_fini(&l);
}

static void
too_many_are_averaged(void **state)
{
	struct ctl_latency l = heat_host(192);
	const struct heatmap h = {&l, "Host", NULL, 0, false};
	auto_free char *wide = heatmap_text(&h, 400, TRUE_COLOURS);
	auto_free char *narrow = heatmap_text(&h, 60, TRUE_COLOURS);

	(void)state;
	/* Half as many lines as CPUs, then as bins of four. */
	assert_in_range(heat_count(wide, "\n"), 96, 108);
	assert_in_range(heat_count(narrow, "\n"), 24, 40);
	ctl_latency_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_of_all_tiers_are_contiguous),
		cmocka_unit_test(without_tiers_the_order_is_that_of_the_numbers),
		cmocka_unit_test(
			tiers_that_do_not_nest_or_cover_still_give_every_row_once),
		cmocka_unit_test(
			labels_keep_their_distance_and_mark_the_widest_domains),
		cmocka_unit_test(farther_is_always_darker),
		cmocka_unit_test(vms_next_to_each_other_have_different_colours),
		cmocka_unit_test(terminals_of_256_colours_get_the_nearest_one),
		cmocka_unit_test(one_wild_value_does_not_take_all_colours),
		cmocka_unit_test(a_flat_host_has_one_colour),
		cmocka_unit_test(a_wide_range_is_logarithmic),
		cmocka_unit_test(text_fits_any_width_and_leaves_no_colours),
		cmocka_unit_test(names_are_in_utf8_where_that_can_be_shown),
		cmocka_unit_test(a_long_name_ends_at_the_edge_with_a_whole_character),
		cmocka_unit_test(a_few_cpus_are_a_table),
		cmocka_unit_test(more_are_shades_with_near_domains_dense),
		cmocka_unit_test(too_many_are_averaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
