// SPDX-License-Identifier: MIT
/* The text of a measurement: round trips, precision, damage, and whether it is about
 * this host. */
#include "config.h"

#include "probe/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cache_texts.h"
#include "layouts.h"
#include "mutate.h"

static const struct layout two_sockets = {2, 2, 2, 2, 2, 12, 32};

/* A measured host: every third pair is unknown, every fifth inferred. */
static struct cache
measured(const struct topo *t)
{
	struct cache c = {.fingerprint = FINGERPRINT, .host = "h", .measured_s = 5};
	uint64_t seed = 42;

	c.matrix = matrix_new(&t->online);
	cache_set_places(&c, t);
	for (size_t i = 0; i < matrix_pairs(c.matrix->n); i++) {
		struct matrix_cell *cell = &c.matrix->cells[i];

		if (i % 3 == 1)
			continue;
		cell->ns = (float)(1 + mutate_random(&seed) % 30000) / 100;
		cell->visits = i % 5 == 0 ? 0 : (uint8_t)(mutate_random(&seed) % 62);
		cell->confidence_pct = (uint8_t)(mutate_random(&seed) % 51 * 2);
	}
	return c;
}

static void
assert_same(const struct cache *a, const struct cache *b)
{
	assert_string_equal(a->fingerprint, b->fingerprint);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->measured_s, b->measured_s);
	assert_int_equal(a->matrix->n, b->matrix->n);
	assert_memory_equal(a->matrix->cpus, b->matrix->cpus,
		a->matrix->n * sizeof(*a->matrix->cpus));
	assert_memory_equal(a->places, b->places, a->matrix->n * sizeof(*a->places));
	for (size_t i = 0; i < matrix_pairs(a->matrix->n); i++) {
		const struct matrix_cell *x = &a->matrix->cells[i];
		const struct matrix_cell *y = &b->matrix->cells[i];

		if (x->ns != y->ns || x->visits != y->visits ||
			x->confidence_pct != y->confidence_pct)
			fail_msg("pair %zu: %.9g %u %u, then %.9g %u %u", i,
				(double)x->ns, x->visits, x->confidence_pct,
				(double)y->ns, y->visits, y->confidence_pct);
	}
}

static void
a_measurement_survives_being_written_and_read(void **state)
{
	struct topo *t = hosts_build(&two_sockets);
	struct cache c = measured(t);
	size_t len;
	auto_free char *text = cache_format(&c, &len);
	struct cache back = parse(text, len);

	(void)state;
	assert_int_equal(len, strlen(text));
	assert_same(&c, &back);
	cache_fini(&back);
	cache_fini(&c);
	assert_null(c.matrix);
	topo_free(t);
}

static void
the_text_is_written_as_it_was_read(void **state)
{
	auto_free char *text = NULL;
	struct cache c = parse(small_text, sizeof(small_text) - 1);
	size_t len;

	(void)state;
	assert_int_equal(c.matrix->n, 3);
	assert_int_equal(c.matrix->cpus[1], 2);
	assert_true(matrix_at(c.matrix, 0, 1)->ns == 100.5f);
	assert_true(matrix_at(c.matrix, 0, 2)->ns == 0);
	assert_int_equal(matrix_at(c.matrix, 1, 2)->visits, 61);
	assert_int_equal(matrix_at(c.matrix, 0, 1)->confidence_pct, 100);
	assert_int_equal(c.places[2].node, -1);
	assert_int_equal(c.places[2].package, 131072);
	text = cache_format(&c, &len);
	assert_string_equal(text, small_text);
	cache_fini(&c);
}

/* The indented block of docs/latency.md, without its indentation. */
static void
add_example(struct strbuf *b, FILE *f)
{
	char line[256];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (b->len > 0 && *line == '\n')
			return;
		if (b->len > 0 || str_has_prefix(line, "    # qmpin latency "))
			strbuf_adds(b, line + 4);
	}
}

static void
the_manuals_example_is_one(void **state)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path =
		xasprintf("%s/docs/latency.md", srcdir != NULL ? srcdir : ".");
	FILE *f = fopen(path, "r");
	struct strbuf b = {0};
	struct cache c;

	(void)state;
	if (f == NULL)
		fail_msg("%s cannot be read", path);
	add_example(&b, f);
	fclose(f);
	c = parse(strbuf_text(&b), b.len);
	assert_int_equal(c.matrix->n, 3);
	assert_stable(&c);
	cache_fini(&c);
	strbuf_fini(&b);
}

static void
nothing_known_is_written_and_read_too(void **state)
{
	const struct cpuset sets[] = {CPUSET_NONE, cpuset_of(CPUSET_CAP - 1)};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(sets); i++) {
		struct cache c = {.matrix = matrix_new(&sets[i])};
		auto_free char *text = NULL;
		struct cache back;
		size_t len;

		text = cache_format(&c, &len);
		back = parse(text, len);
		assert_int_equal(back.matrix->n, i);
		assert_string_equal(back.fingerprint, "");
		assert_string_equal(back.host, "");
		if (i == 1)
			assert_int_equal(back.places[0].core, -1);
		cache_fini(&back);
		cache_fini(&c);
	}
}

static void
values_beyond_what_is_kept_come_back_bounded(void **state)
{
	static const struct {
		struct matrix_cell is;
		struct matrix_cell want;
	} cases[] = {
		{{0.0001f, 255, 99}, {0.01f, 61, 98}},
		{{5.004f, 62, 1}, {5, 61, 0}},
		{{5.006f, 61, 100}, {5.01f, 61, 100}},
		{{99999.99f, 1, 101}, {99999.99f, 1, 100}},
		{{3e9f, 1, 0}, {100000, 1, 0}},
		{{-1, 1, 0}, {0, 1, 0}},
		{{__builtin_nanf(""), 1, 0}, {0, 1, 0}},
		{{__builtin_inff(), 1, 0}, {100000, 1, 0}},
	};
	const struct cpuset cpus = cpuset_below(2);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct cache c = {.matrix = matrix_new(&cpus)};
		auto_free char *text = NULL;
		struct matrix_cell *got;
		struct cache back;
		size_t len;

		c.matrix->cells[0] = cases[i].is;
		text = cache_format(&c, &len);
		back = parse(text, len);
		got = &back.matrix->cells[0];
		if (got->ns != cases[i].want.ns ||
			got->visits != cases[i].want.visits ||
			got->confidence_pct != cases[i].want.confidence_pct)
			fail_msg("case %u: %.9g %u %u", i, (double)got->ns, got->visits,
				got->confidence_pct);
		cache_fini(&back);
		cache_fini(&c);
	}
}

static void
a_name_with_odd_characters_stays_one_line(void **state)
{
	const struct cpuset cpus = cpuset_below(1);
	struct cache c = {.host = "a\nb\xff\x01 c", .matrix = matrix_new(&cpus)};
	size_t len;
	auto_free char *text = cache_format(&c, &len);
	struct cache back = parse(text, len);

	(void)state;
	assert_string_equal(back.host, "a?b?? c");
	cache_fini(&back);
	cache_fini(&c);
}

static void
the_checksum_is_fnv_1a(void **state)
{
	(void)state;
	assert_true(hash_fnv64("", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(hash_fnv64("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(hash_fnv64("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

/* --- is it about this host? ------------------------------------------------------- */

static void
expect_host(const struct cache *c, const struct topo_facts *f, const char *part)
{
	struct err e = ERR_NONE;
	struct topo *t = NULL;
	int r;

	assert_int_equal(topo_build(f, &t, NULL), 0);
	r = cache_check(c, FINGERPRINT, t, "f", &e);
	if (r != (part == NULL ? 0 : -ESTALE) ||
		(part != NULL && strstr(e.text, part) == NULL))
		fail_msg("%d \"%s\", wanted \"%s\"", r, e.text, part);
	topo_free(t);
}

struct fixture {
	struct topo_facts f;
	struct cache c;
};

static int
set_up(void **state)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	struct topo *t = hosts_build(&two_sockets);

	x->f = hosts_facts(&two_sockets);
	x->c = measured(t);
	topo_free(t);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	topo_facts_fini(&x->f);
	cache_fini(&x->c);
	free(x);
	return 0;
}

static void
another_fingerprint_is_another_host(void **state)
{
	struct fixture *x = *state;

	expect_host(&x->c, &x->f, NULL);
	x->c.fingerprint[0] = '1';
	expect_host(&x->c, &x->f, "another host: fingerprint 10c0ffee12345678");
	x->c.fingerprint[0] = '\0';
	expect_host(&x->c, &x->f, "another host");
}

/* The lowest CPUs of several groups, so that all of those are named anew. */
static void
cpus_that_went_offline_do_not_count(void **state)
{
	struct fixture *x = *state;

	for (unsigned int i = 0; i < x->f.n_cpus;) {
		if (x->f.cpus[i].cpu % 4 == 0)
			x->f.cpus[i] = x->f.cpus[--x->f.n_cpus];
		else
			i++;
	}
	expect_host(&x->c, &x->f, NULL);
}

static void
cpus_that_were_not_measured_do_not_count(void **state)
{
	struct fixture *x = *state;
	const struct cpuset few = cpuset_below(5);
	struct matrix *m = matrix_select(x->c.matrix, &few);

	matrix_free(x->c.matrix);
	x->c.matrix = m;
	expect_host(&x->c, &x->f, NULL);
	x->f.cpus[6].l3_key = 77;
	expect_host(&x->c, &x->f, NULL);
}

static void
names_of_groups_mean_nothing(void **state)
{
	struct fixture *x = *state;

	for (unsigned int i = 0; i < x->f.n_cpus; i++) {
		x->f.cpus[i].l3_key += 100;
		x->f.cpus[i].package_id = 36 - x->f.cpus[i].package_id;
		x->f.cpus[i].node_id += 7;
	}
	for (unsigned int i = 0; i < x->f.n_nodes; i++)
		x->f.nodes[i].id += 7;
	expect_host(&x->c, &x->f, NULL);
}

static void
other_groups_are_another_host(void **state)
{
	struct fixture *x = *state;
	struct topo_cpu_facts *cpu = &x->f.cpus[1];
	const struct topo_cpu_facts was = *cpu;

	cpu->core_key = 50;
	expect_host(&x->c, &x->f, "a core");
	*cpu = was;
	cpu->l2_key = x->f.cpus[0].l2_key;
	expect_host(&x->c, &x->f, "a L2");
	*cpu = was;
	cpu->l3_key = -1;
	expect_host(&x->c, &x->f, "a L3");
	/* to have none is nothing that CPUs share */
	for (unsigned int i = 0; i < x->f.n_cpus; i++) {
		if (x->f.cpus[i].l3_key == 0)
			x->f.cpus[i].l3_key = -1;
	}
	expect_host(&x->c, &x->f, "a L3");
	for (unsigned int i = 0; i < x->f.n_cpus; i++) {
		if (x->f.cpus[i].l3_key == -1)
			x->f.cpus[i].l3_key = 0;
	}
	*cpu = was;
	cpu->node_id = 1;
	expect_host(&x->c, &x->f, "a node");
	*cpu = was;
	cpu->package_id = 1;
	expect_host(&x->c, &x->f, "a package");
}

static void
the_file_is_named_after_the_fingerprint(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(
		cache_file_name(FINGERPRINT, buf, sizeof(buf)), "latency-" FINGERPRINT);
}

/* --- how long it takes ------------------------------------------------------------ */

static double
ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

/* Measured: 384 CPUs in 4 ms. The limit is for slow machines under sanitizers. */
static void
large_hosts_are_written_and_read_quickly(void **state)
{
	static const struct layout layouts[] = {{2, 4, 3, 8, 2, 12, 32},
		{4, 4, 4, 8, 2, 12, 32}, {8, 8, 2, 8, 2, 12, 32}};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(layouts); i++) {
		struct topo *t = hosts_build(&layouts[i]);
		struct cache c = measured(t);
		auto_free char *text = NULL;
		struct timespec from;
		struct cache back;
		double ms[3];
		size_t len;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		text = cache_format(&c, &len);
		ms[0] = ms_since(&from);
		back = parse(text, len);
		ms[1] = ms_since(&from) - ms[0];
		assert_int_equal(cache_check(&back, FINGERPRINT, t, "f", NULL), 0);
		ms[2] = ms_since(&from) - ms[0] - ms[1];
		print_message(
			"%u CPUs, %zu kB: format %.1f ms, parse %.1f ms, check %.1f ms\n",
			c.matrix->n, len / 1000, ms[0], ms[1], ms[2]);
		assert_true(len < CACHE_BYTES_MAX);
		assert_true(ms[0] + ms[1] + ms[2] < 5000);
		cache_fini(&back);
		cache_fini(&c);
		topo_free(t);
	}
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_measurement_survives_being_written_and_read),
		cmocka_unit_test(the_text_is_written_as_it_was_read),
		cmocka_unit_test(the_manuals_example_is_one),
		cmocka_unit_test(nothing_known_is_written_and_read_too),
		cmocka_unit_test(values_beyond_what_is_kept_come_back_bounded),
		cmocka_unit_test(a_name_with_odd_characters_stays_one_line),
		cmocka_unit_test(the_checksum_is_fnv_1a),
		WITH_HOST(another_fingerprint_is_another_host),
		WITH_HOST(cpus_that_went_offline_do_not_count),
		WITH_HOST(cpus_that_were_not_measured_do_not_count),
		WITH_HOST(names_of_groups_mean_nothing),
		WITH_HOST(other_groups_are_another_host),
		cmocka_unit_test(the_file_is_named_after_the_fingerprint),
		cmocka_unit_test(large_hosts_are_written_and_read_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
