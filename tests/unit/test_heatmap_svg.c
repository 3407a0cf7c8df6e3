// SPDX-License-Identifier: MIT
/*
 * Pictures of latencies as SVG: what is in them, and that nothing from outside breaks
 * the document. That a browser shows them is tested with one.
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
#include "ctl/heatmap.h"
#include "heat_hosts.h"
#include "mutate.h"

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
	struct ctl_latency l = heat_host(16);
	auto_free char *svg = draw(&l, NULL, 0);

	(void)state;
	assert_int_equal(heat_count(svg, "<title>CPUs "), 16 * 15);
	heat_expect_has(svg, "fill=\"#fde725\"><title>CPUs 0 and 8: 8.0 ns</title>");
	heat_expect_has(svg, "fill=\"#440154\"><title>CPUs 15 and 0: 220.0 ns</title>");
	heat_expect_has(svg, "tier 2: 25 ns, 2 domains of 8 CPUs, confidence 100 %");
	heat_expect_has(svg, "measured");
	heat_expect_lacks(svg, "no result");
	ctl_latency_fini(&l);
}

static void
a_pair_without_result_is_no_latency(void **state)
{
	struct ctl_latency l = heat_host(16);
	auto_free char *svg = NULL;

	(void)state;
	matrix_at(l.matrix, 5, 2)->ns = 0;
	svg = draw(&l, NULL, 0);
	heat_expect_has(
		svg, "fill=\"url(#none)\"><title>CPUs 5 and 2: no result</title>");
	heat_expect_has(svg, "1 of 120 pairs without result");
	ctl_latency_fini(&l);
}

static void
a_large_matrix_is_one_image_with_a_text_a_block(void **state)
{
	struct ctl_latency l = heat_host(512);
	auto_free char *svg = draw(&l, NULL, 0);

	(void)state;
	assert_int_equal(heat_count(svg, "<image "), 1);
	heat_expect_has(
		svg, "<title>CPUs 0-3,256-259: median 25.0 ns, 8.0 to 25.0</title>");
	heat_expect_has(
		svg, "<title>CPUs 0-3,256-259 and 252-255,508-511: median 220.0 ns");
	heat_expect_has(svg, ">511</text>");
	assert_in_range(strlen(svg), 100000, 2000000);
	ctl_latency_fini(&l);
}

static void
any_number_of_cpus_can_be_drawn(void **state)
{
	static const unsigned int sizes[] = {1, 2, 3, 17, 63, 64, 65, 100, 640, 1100};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ctl_latency l = heat_plain(sizes[i], 50);
		auto_free char *svg = draw(&l, heat_vms(), 3);
		auto_free char *text = NULL;
		const struct heatmap h = {.latency = &l, .title = "Host"};

		text = heatmap_text(&h, 80, 0);
		assert_true(strlen(svg) > 0);
		assert_true(strlen(text) > 0);
		ctl_latency_fini(&l);
	}
}

static void
nothing_measured_is_a_picture_too(void **state)
{
	struct ctl_latency none = {.matrix = NULL};
	struct ctl_latency empty = heat_plain(8, 0);
	auto_free char *without = draw(&none, heat_vms(), 3);
	auto_free char *unmeasured = draw(&empty, NULL, 0);

	(void)state;
	heat_expect_has(without, "0 CPUs");
	heat_expect_has(unmeasured, "28 of 28 pairs without result");
	ctl_latency_fini(&empty);
}

static void
names_cannot_leave_their_place(void **state)
{
	struct ctl_latency l = heat_plain(4, 50);
	struct heatmap h = {.latency = &l, .title = heat_hostile};
	auto_free char *svg = NULL;

	(void)state;
	h.vms = heat_vms();
	h.n_vms = 3;
	str_copy(l.source, sizeof(l.source), heat_hostile);
	svg = heatmap_svg(&h);
	expect_well_formed(svg);
	heat_expect_lacks(svg, "<script");
	heat_expect_lacks(svg, "\033");
	heat_expect_lacks(svg, "\xff");
	/* Overlong, a surrogate, an override of direction, a noncharacter. */
	heat_expect_lacks(svg, "\xc0");
	heat_expect_lacks(svg, "\xed");
	heat_expect_lacks(svg, "\xe2\x80\xae");
	heat_expect_lacks(svg, "\xef\xbf\xbf");
	heat_expect_has(svg, "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;");
	/* What is only foreign stays as it is. */
	heat_expect_has(svg, "\xc3\xa9");
	ctl_latency_fini(&l);
}

static void
any_bytes_make_a_whole_document(void **state)
{
	struct ctl_latency l = heat_plain(2, 50);
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
	struct ctl_latency l = heat_host(16);
	struct heatmap_vm vms[2] = {
		{"100", "web", CPUSET_NONE}, {"777", NULL, CPUSET_NONE}};
	auto_free char *svg = NULL;

	(void)state;
	/* Siblings: one band on this axis. */
	assert_int_equal(cpuset_parse("0-3,8-11", &vms[0].cpus), 0);
	assert_int_equal(cpuset_parse("0,4", &vms[1].cpus), 0);
	svg = draw(&l, vms, 2);
	heat_expect_has(svg, "<title>VM 100 web: CPUs 0-3,8-11</title><rect x=\"");
	heat_expect_has(svg, "<title>VM 777: CPUs 0,4</title>");
	heat_expect_has(svg, ">100 web<");
	ctl_latency_fini(&l);
}

static void
more_vms_than_fit_are_counted(void **state)
{
	struct ctl_latency l = heat_plain(4, 50);
	auto_free struct heatmap_vm *vms = xcalloc(500, sizeof(*vms));
	auto_free char *svg = NULL;

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		vms[i] = (struct heatmap_vm){"100", "web", cpuset_below(4)};
	svg = draw(&l, vms, 500);
	/* Names beside four cells of 64 pixels: three columns of 16. */
	heat_expect_has(svg, "and 453 more, not listed</text>");
	heat_expect_has(svg, ">452 VMs without a band, ");
	ctl_latency_fini(&l);
}

static void
a_vm_without_a_band_has_an_empty_square(void **state)
{
	static const char empty[] = "<rect class=\"line\" ";
	struct ctl_latency l = heat_plain(64, 50);
	struct heatmap_vm vms[49];
	auto_free char *few = NULL;
	auto_free char *many = NULL;

	(void)state;
	for (unsigned int i = 0; i < 49; i++)
		vms[i] = (struct heatmap_vm){"100", "web", cpuset_below(4)};
	few = draw(&l, vms, 48);
	heat_expect_lacks(few, "without a band");
	heat_expect_lacks(few, empty);
	many = draw(&l, vms, 49);
	heat_expect_has(many, ">1 VM without a band, ");
	assert_int_equal(heat_count(many, empty), 1);
	/* One that is on none of these CPUs is no matter of room. */
	vms[0].cpus = CPUSET_NONE;
	free(few);
	few = draw(&l, vms, 49);
	heat_expect_lacks(few, "without a band");
	assert_int_equal(heat_count(few, empty), 1);
	heat_expect_has(few, "<title>VM 100 web: on no CPU</title>");
	ctl_latency_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_matrix_tells_each_pair),
		cmocka_unit_test(a_pair_without_result_is_no_latency),
		cmocka_unit_test(a_large_matrix_is_one_image_with_a_text_a_block),
		cmocka_unit_test(any_number_of_cpus_can_be_drawn),
		cmocka_unit_test(nothing_measured_is_a_picture_too),
		cmocka_unit_test(names_cannot_leave_their_place),
		cmocka_unit_test(any_bytes_make_a_whole_document),
		cmocka_unit_test(a_vm_is_shown_at_its_cpus),
		cmocka_unit_test(more_vms_than_fit_are_counted),
		cmocka_unit_test(a_vm_without_a_band_has_an_empty_square),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
