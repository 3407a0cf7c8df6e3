// SPDX-License-Identifier: MIT
/*
 * Pictures of latencies: order, colours, and that nothing from outside breaks a
 * document or a terminal. That a browser shows them is tested with one.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/axis.h"
#include "ctl/heatmap.h"
#include "ctl/palette.h"
#include "ctl/scale.h"
#include "mutate.h"

#define TRUE_COLOURS (1u << 24)

/* --- Hosts --------------------------------------------------------------------------
 */

static void
add_tier(struct ctl_latency *l, double ns, const char *const *domains, unsigned int n)
{
	struct ctl_tier *tier = &l->tiers[l->n_tiers++];

	*tier = (struct ctl_tier){.latency_ns = ns, .confidence = 0.9, .n_domains = n};
	tier->domains = xcalloc(n, sizeof(*tier->domains));
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(cpuset_parse(domains[i], &tier->domains[i]), 0);
}

/* Domain of @cpu when @n CPUs, whose second half are the siblings of the first, form
 * groups of @size. */
static unsigned int
group_of(unsigned int cpu, unsigned int n, unsigned int size)
{
	return cpu % (n / 2) / (size / 2);
}

static void
add_groups(struct ctl_latency *l, double ns, unsigned int size)
{
	struct ctl_tier *tier = &l->tiers[l->n_tiers++];
	unsigned int n = l->matrix->n;

	*tier = (struct ctl_tier){.latency_ns = ns, .confidence = 1};
	tier->n_domains = n / size;
	tier->domains = xcalloc(tier->n_domains, sizeof(*tier->domains));
	for (unsigned int cpu = 0; cpu < n; cpu++)
		cpuset_add(&tier->domains[group_of(cpu, n, size)], cpu);
}

/* 8 ns between siblings, 25 in groups of eight, 100 in halves, 220 beyond. */
static struct ctl_latency
make_host(unsigned int n)
{
	struct cpuset cpus = cpuset_below(n);
	struct ctl_latency l = {.trusted = true, .matrix = matrix_new(&cpus)};

	str_copy(l.source, sizeof(l.source), "measured");
	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < a; b++)
			matrix_at(l.matrix, a, b)->ns =
				group_of(a, n, 2) == group_of(b, n, 2)		 ? 8
				: group_of(a, n, 8) == group_of(b, n, 8)	 ? 25
				: group_of(a, n, n / 2) == group_of(b, n, n / 2) ? 100
										 : 220;
	}
	add_groups(&l, 8, 2);
	add_groups(&l, 25, 8);
	add_groups(&l, 100, n / 2);
	add_groups(&l, 220, n);
	return l;
}

/* All pairs alike, no tiers. */
static struct ctl_latency
make_plain(unsigned int n, float ns)
{
	struct cpuset cpus = cpuset_below(n);
	struct ctl_latency l = {.matrix = matrix_new(&cpus)};

	for (size_t i = 0; i < matrix_pairs(n); i++)
		l.matrix->cells[i].ns = ns;
	return l;
}

/* A name that tries everything. */
static const char hostile[] = "</title><script>\"'&\033[31m\x01\xff\xc0\x80\xed\xa0\x80"
			      "\xe2\x80\xae\xef\xbf\xbf]]>\n\t\\ \xc3\xa9";

static const struct heatmap_vm *
some_vms(void)
{
	static struct heatmap_vm vms[3];

	vms[0] = (struct heatmap_vm){"100", "web", cpuset_of(0)};
	vms[1] = (struct heatmap_vm){"101", hostile, cpuset_below(4)};
	vms[2] = (struct heatmap_vm){hostile, NULL, CPUSET_NONE};
	return vms;
}

/* --- Order --------------------------------------------------------------------------
 */

static void
expect_order(const struct ctl_latency *l, const unsigned int *want, unsigned int n)
{
	unsigned int order[64];

	assert_int_equal(l->matrix->n, n);
	heatmap_order(l, order);
	for (unsigned int i = 0; i < n; i++) {
		if (order[i] != want[i])
			fail_msg("position %u: row %u, not %u", i, order[i], want[i]);
	}
}

static void
domains_of_all_tiers_are_contiguous(void **state)
{
	static const char *const cores[] = {"0,4", "1,5", "2,6", "3,7"};
	static const char *const nodes[] = {"0,2,4,6", "1,3,5,7"};
	static const char *const all[] = {"0-7"};
	static const unsigned int want[] = {0, 4, 2, 6, 1, 5, 3, 7};
	struct ctl_latency l = make_plain(8, 10);

	(void)state;
	add_tier(&l, 8, cores, 4);
	add_tier(&l, 30, nodes, 2);
	add_tier(&l, 99, all, 1);
	expect_order(&l, want, 8);
	ctl_latency_fini(&l);
}

static void
without_tiers_the_order_is_that_of_the_numbers(void **state)
{
	static const unsigned int want[] = {0, 1, 2, 3};
	struct ctl_latency l = make_plain(4, 10);

	(void)state;
	expect_order(&l, want, 4);
	ctl_latency_fini(&l);
}

static void
tiers_that_do_not_nest_or_cover_still_give_every_row_once(void **state)
{
	static const char *const pairs[] = {"0-1", "5"};
	static const char *const across[] = {"1-2", "0,3"};
	struct ctl_latency l = make_plain(6, 10);
	unsigned int order[6];
	unsigned int seen = 0;

	(void)state;
	add_tier(&l, 8, pairs, 2);
	add_tier(&l, 30, across, 2);
	heatmap_order(&l, order);
	for (unsigned int i = 0; i < 6; i++)
		seen |= 1u << order[i];
	assert_int_equal(seen, 0x3f);
	ctl_latency_fini(&l);
}

static void
labels_keep_their_distance_and_mark_the_widest_domains(void **state)
{
	struct ctl_latency l = make_host(48);
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
	struct ctl_latency l = make_host(64);
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
	struct ctl_latency l = make_plain(8, 39.5f);
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
	struct ctl_latency l = make_host(16);
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

/* --- SVG ----------------------------------------------------------------------------
 */

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

static void
expect_has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("'%s' is not in %.2000s", what, text);
}

static void
expect_lacks(const char *text, const char *what)
{
	if (strstr(text, what) != NULL)
		fail_msg("'%s' is there", what);
}

/* The next tag of @p; what lies between tags has no special characters. */
static const char *
next_tag(const char *p)
{
	for (; *p != '<' && *p != '\0'; p++) {
		if (*p == '>' || (*p == '&' && strcspn(p, ";< ") > 6))
			fail_msg("bare character at %.40s", p);
	}
	return p;
}

/* Tags are balanced, no control characters. */
static void
expect_well_formed(const char *svg)
{
	char open[16][16];
	unsigned int depth = 0;
	const char *p = strchr(svg, '>') + 1;

	assert_memory_equal(svg, "<?xml ", 6);
	for (const char *c = svg; *c != '\0'; c++)
		assert_true((unsigned char)*c >= ' ' || *c == '\n');
	for (p = next_tag(p); *p != '\0'; p = next_tag(p)) {
		const char *end = strchr(p, '>');
		char name[16] = "";

		assert_non_null(end);
		(void)sscanf(p + 1, "%*[/]%15[a-zA-Z]", name);
		if (name[0] == '\0')
			(void)sscanf(p + 1, "%15[a-zA-Z]", name);
		if (p[1] == '/') {
			assert_true(depth > 0);
			assert_string_equal(name, open[--depth]);
		} else if (end[-1] != '/') {
			assert_true(depth < 16);
			str_copy(open[depth++], sizeof(open[0]), name);
		}
		p = end + 1;
	}
	assert_int_equal(depth, 0);
}

static char *
draw(const struct ctl_latency *l, const struct heatmap_vm *vms, size_t n)
{
	const struct heatmap h = {
		.latency = l, .title = "Host", .vms = vms, .n_vms = n};
	char *svg = heatmap_svg(&h);

	expect_well_formed(svg);
	return svg;
}

static void
a_small_matrix_tells_each_pair(void **state)
{
	struct ctl_latency l = make_host(16);
	auto_free char *svg = draw(&l, NULL, 0);

	(void)state;
	assert_int_equal(count(svg, "<title>CPUs "), 16 * 15);
	expect_has(svg, "fill=\"#fde725\"><title>CPUs 0 and 8: 8.0 ns</title>");
	expect_has(svg, "fill=\"#440154\"><title>CPUs 15 and 0: 220.0 ns</title>");
	expect_has(svg, "tier 2: 25 ns, 2 domains of 8 CPUs, confidence 100 %");
	expect_has(svg, "measured");
	expect_lacks(svg, "no result");
	ctl_latency_fini(&l);
}

static void
a_pair_without_result_is_no_latency(void **state)
{
	struct ctl_latency l = make_host(16);
	auto_free char *svg = NULL;

	(void)state;
	matrix_at(l.matrix, 5, 2)->ns = 0;
	svg = draw(&l, NULL, 0);
	expect_has(svg, "fill=\"url(#none)\"><title>CPUs 5 and 2: no result</title>");
	expect_has(svg, "1 of 120 pairs without result");
	ctl_latency_fini(&l);
}

static void
a_large_matrix_is_one_image_with_a_text_a_block(void **state)
{
	struct ctl_latency l = make_host(512);
	auto_free char *svg = draw(&l, NULL, 0);

	(void)state;
	assert_int_equal(count(svg, "<image "), 1);
	expect_has(svg, "<title>CPUs 0-3,256-259: median 25.0 ns, 8.0 to 25.0</title>");
	expect_has(svg, "<title>CPUs 0-3,256-259 and 252-255,508-511: median 220.0 ns");
	expect_has(svg, ">511</text>");
	assert_in_range(strlen(svg), 100000, 2000000);
	ctl_latency_fini(&l);
}

static void
any_number_of_cpus_can_be_drawn(void **state)
{
	static const unsigned int sizes[] = {1, 2, 3, 17, 63, 64, 65, 100, 640, 1100};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ctl_latency l = make_plain(sizes[i], 50);
		auto_free char *svg = draw(&l, some_vms(), 3);
		auto_free char *text = NULL;
		const struct heatmap h = {.latency = &l, .title = "Host"};

		text = heatmap_text(&h, 80, 0);
		assert_true(strlen(text) > 0);
		ctl_latency_fini(&l);
	}
}

static void
nothing_measured_is_a_picture_too(void **state)
{
	struct ctl_latency none = {.matrix = NULL};
	struct ctl_latency empty = make_plain(8, 0);
	auto_free char *without = draw(&none, some_vms(), 3);
	auto_free char *unmeasured = draw(&empty, NULL, 0);

	(void)state;
	expect_has(without, "0 CPUs");
	expect_has(unmeasured, "28 of 28 pairs without result");
	ctl_latency_fini(&empty);
}

static void
names_cannot_leave_their_place(void **state)
{
	struct ctl_latency l = make_plain(4, 50);
	struct heatmap h = {.latency = &l, .title = hostile};
	auto_free char *svg = NULL;

	(void)state;
	h.vms = some_vms();
	h.n_vms = 3;
	str_copy(l.source, sizeof(l.source), hostile);
	svg = heatmap_svg(&h);
	expect_well_formed(svg);
	expect_lacks(svg, "<script");
	expect_lacks(svg, "\033");
	expect_lacks(svg, "\xff");
	/* Overlong, a surrogate, an override of direction, a noncharacter. */
	expect_lacks(svg, "\xc0");
	expect_lacks(svg, "\xed");
	expect_lacks(svg, "\xe2\x80\xae");
	expect_lacks(svg, "\xef\xbf\xbf");
	expect_has(svg, "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;");
	/* What is only foreign stays as it is. */
	expect_has(svg, "\xc3\xa9");
	ctl_latency_fini(&l);
}

static void
any_bytes_make_a_whole_document(void **state)
{
	struct ctl_latency l = make_plain(2, 50);
	uint64_t seed = 4;

	(void)state;
	for (unsigned int i = 0; i < 500; i++) {
		char name[40];
		struct heatmap_vm vm = {"100", name, cpuset_below(2)};
		auto_free char *svg = NULL;

		for (size_t k = 0; k + 1 < sizeof(name); k++)
			name[k] = (char)(1 + mutate_random(&seed) % 255);
		name[sizeof(name) - 1] = '\0';
		svg = draw(&l, &vm, 1);
	}
	ctl_latency_fini(&l);
}

static void
a_vm_is_shown_at_its_cpus(void **state)
{
	struct ctl_latency l = make_host(16);
	struct heatmap_vm vms[2] = {
		{"100", "web", CPUSET_NONE}, {"777", NULL, CPUSET_NONE}};
	auto_free char *svg = NULL;

	(void)state;
	/* Siblings: one band on this axis. */
	assert_int_equal(cpuset_parse("0-3,8-11", &vms[0].cpus), 0);
	assert_int_equal(cpuset_parse("0,4", &vms[1].cpus), 0);
	svg = draw(&l, vms, 2);
	expect_has(svg, "<title>VM 100 web: CPUs 0-3,8-11</title><rect x=\"");
	expect_has(svg, "<title>VM 777: CPUs 0,4</title>");
	expect_has(svg, ">100 web<");
	ctl_latency_fini(&l);
}

static void
more_vms_than_fit_are_counted(void **state)
{
	struct ctl_latency l = make_plain(4, 50);
	auto_free struct heatmap_vm *vms = xcalloc(500, sizeof(*vms));
	auto_free char *svg = NULL;

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		vms[i] = (struct heatmap_vm){"100", "web", cpuset_below(4)};
	svg = draw(&l, vms, 500);
	expect_has(svg, "more</text>");
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
		struct ctl_latency l = make_host(sizes[i]);
		const struct heatmap h = {&l, hostile, some_vms(), 3};

		str_copy(l.source, sizeof(l.source), hostile);
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

static void
a_few_cpus_are_a_table(void **state)
{
	static const char *const all[] = {"0-3"};
	struct ctl_latency l = make_plain(4, 104);
	struct heatmap_vm vm = {"100", "web", cpuset_below(2)};
	const struct heatmap h = {&l, "Host", &vm, 1};

	(void)state;
	add_tier(&l, 104, all, 1);
	str_copy(l.source, sizeof(l.source), "class model");
	matrix_at(l.matrix, 1, 0)->ns = 8.25f;
	matrix_at(l.matrix, 3, 0)->ns = 0;
	expect_text(&h, 80,
		"Host\n"
		"class model\n"
		"4 CPUs, not trusted: the tiers are those of the host's own tree, 1 of "
		"6 pairs\n"
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
		"tier 1: 104 ns, all 4 CPUs, confidence 90 %\n");
	ctl_latency_fini(&l);
}

static void
more_are_shades_with_near_domains_dense(void **state)
{
	struct ctl_latency l = make_host(32);
	const struct heatmap h = {&l, "Host", NULL, 0};
	auto_free char *text = heatmap_text(&h, 80, 0);

	(void)state;
	expect_has(text, "\n 0 @@@@************::::::::::::::::................");
	expect_has(text, "\n16 @@@@************::::::::::::::::................");
	expect_has(text, "\n31 ................................::::::::::::::::****");
	expect_lacks(text, "?");
	ctl_latency_fini(&l);
}

static void
too_many_are_averaged(void **state)
{
	struct ctl_latency l = make_host(192);
	const struct heatmap h = {&l, "Host", NULL, 0};
	auto_free char *wide = heatmap_text(&h, 400, TRUE_COLOURS);
	auto_free char *narrow = heatmap_text(&h, 60, TRUE_COLOURS);

	(void)state;
	/* Half as many lines as CPUs, then as bins of four. */
	assert_in_range(count(wide, "\n"), 96, 108);
	assert_in_range(count(narrow, "\n"), 24, 40);
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
		cmocka_unit_test(a_small_matrix_tells_each_pair),
		cmocka_unit_test(a_pair_without_result_is_no_latency),
		cmocka_unit_test(a_large_matrix_is_one_image_with_a_text_a_block),
		cmocka_unit_test(any_number_of_cpus_can_be_drawn),
		cmocka_unit_test(nothing_measured_is_a_picture_too),
		cmocka_unit_test(names_cannot_leave_their_place),
		cmocka_unit_test(any_bytes_make_a_whole_document),
		cmocka_unit_test(a_vm_is_shown_at_its_cpus),
		cmocka_unit_test(more_vms_than_fit_are_counted),
		cmocka_unit_test(text_fits_any_width_and_leaves_no_colours),
		cmocka_unit_test(a_few_cpus_are_a_table),
		cmocka_unit_test(more_are_shades_with_near_domains_dense),
		cmocka_unit_test(too_many_are_averaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
