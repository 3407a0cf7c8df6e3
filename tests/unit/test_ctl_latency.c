// SPDX-License-Identifier: MIT
/*
 * Latencies on the wire: what is sent comes back, has the declared shape and fits the
 * caps; what nobody should send is refused with nothing written.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/idl.h"
#include "ctl/latency.h"
#include "ctl/shapes.h"
#include "ctl/varlink.h"
#include "layouts.h"
#include "mutate.h"

/* 2 packages of 2 nodes of 2 L3 groups of 2 cores of 2 threads. */
static const struct layout small_host = {
	.packages = 2, .nodes = 2, .l3s = 2, .cores = 2, .threads = 2};

static struct ctl_latency
model_of(const struct layout *layout)
{
	struct topo *t = hosts_build(layout);
	struct ctl_latency l = {0};

	ctl_latency_set_model(&l, t);
	topo_free(t);
	return l;
}

static void
assert_same(const struct ctl_latency *a, const struct ctl_latency *b)
{
	assert_int_equal(a->trusted, b->trusted);
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->fingerprint, b->fingerprint);
	assert_int_equal(a->measured_us, b->measured_us);
	assert_int_equal(a->n_tiers, b->n_tiers);
	for (unsigned int i = 0; i < a->n_tiers; i++) {
		const struct ctl_tier *x = &a->tiers[i];
		const struct ctl_tier *y = &b->tiers[i];

		assert_true(fabs(x->latency_ns - y->latency_ns) < 0.051);
		assert_true(fabs(x->confidence - y->confidence) < 0.0051);
		assert_int_equal(x->n_domains, y->n_domains);
		for (unsigned int k = 0; k < x->n_domains; k++)
			assert_true(cpuset_equal(&x->domains[k], &y->domains[k]));
	}
	assert_int_equal(a->matrix->n, b->matrix->n);
	for (unsigned int i = 0; i < a->matrix->n; i++) {
		assert_int_equal(a->matrix->cpus[i], b->matrix->cpus[i]);
		for (unsigned int j = 0; j < i; j++)
			assert_true(fabsf(matrix_at(a->matrix, i, j)->ns -
					    matrix_at(b->matrix, i, j)->ns) < 0.051f);
	}
}

/* Out, over the wire, in again. */
static void
send_and_read(const struct ctl_latency *l, struct ctl_latency *out)
{
	struct varlink_reply reply;
	struct err e = ERR_NONE;
	size_t len;
	auto_free char *text =
		varlink_reply_encode(NULL, ctl_latency_json(l), false, &len);

	assert_true(len <= VARLINK_REPLY_MAX);
	if (varlink_reply_decode(text, len - 1, &reply, &e) < 0 ||
		ctl_latency_parse(reply.parameters, out, &e) < 0)
		fail_msg("%s", e.text);
	varlink_reply_fini(&reply);
}

static void
what_is_sent_comes_back(void **state)
{
	struct ctl_latency l = model_of(&small_host);
	struct ctl_latency back;

	(void)state;
	str_copy(l.fingerprint, sizeof(l.fingerprint), "0123456789abcdef");
	l.measured_us = 1700000000000000;
	l.trusted = true;
	l.tiers[0].confidence = 0.876543;
	matrix_at(l.matrix, 5, 3)->ns = 0;
	matrix_at(l.matrix, 6, 3)->ns = 7654.321f;
	send_and_read(&l, &back);
	assert_same(&l, &back);
	assert_true(matrix_at(back.matrix, 5, 3)->ns <= 0);
	assert_int_equal(matrix_at(back.matrix, 5, 3)->visits, 0);
	assert_int_equal(matrix_at(back.matrix, 6, 3)->confidence_pct, 100);
	ctl_latency_fini(&l);
	ctl_latency_fini(&back);
	assert_null(back.matrix);
}

static void
reply_has_the_declared_shape(void **state)
{
	struct ctl_latency l = model_of(&small_host);
	char bad[64];

	(void)state;
	for (unsigned int odd = 0; odd < 2; odd++) {
		auto_json json_t *reply = ctl_latency_json(&l);
		auto_free char *text = ctl_latency_text(&l);
		auto_json json_t *same = json_loads(text, 0, NULL);

		assert_true(json_equal(reply, same));
		if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetLatency",
			    reply, bad, sizeof(bad)))
			fail_msg("odd %u: %s", odd, bad);
		str_copy(l.source, sizeof(l.source), "file\xff\x1b.csv");
		l.tiers[0].latency_ns = NAN;
		matrix_at(l.matrix, 1, 0)->ns = INFINITY;
		matrix_at(l.matrix, 2, 0)->ns = -5;
		matrix_at(l.matrix, 3, 0)->ns = 0.04f;
		matrix_at(l.matrix, 4, 0)->ns = 0.06f;
		matrix_at(l.matrix, 5, 0)->ns = 99.96f;
		matrix_at(l.matrix, 6, 0)->ns = 123456.78f;
		matrix_at(l.matrix, 7, 0)->ns = 1e12f;
	}
	ctl_latency_fini(&l);
}

static void
class_model_is_told_as_such(void **state)
{
	struct ctl_latency l = model_of(&small_host);

	(void)state;
	assert_string_equal(l.source, "class model");
	assert_false(l.trusted);
	assert_int_equal(l.measured_us, 0);
	assert_int_equal(l.n_tiers, 5);
	assert_int_equal(l.tiers[0].n_domains, 16);
	assert_int_equal(l.tiers[4].n_domains, 1);
	assert_int_equal(l.matrix->n, 32);
	/* siblings, and two CPUs of different packages */
	assert_true(matrix_at(l.matrix, 0, 16)->ns < 20);
	assert_true(matrix_at(l.matrix, 0, 15)->ns > 100);
	ctl_latency_fini(&l);
}

static void
values_are_for_the_cpus_of_the_tiers(void **state)
{
	struct topo *t = hosts_build(&small_host);
	auto_free float *ns = lat_class_matrix(t, lat_classes_default());
	struct ranking *r = ranking_from_topo(t, &(struct lat_view){ns, t->n_pus});
	struct cpuset some = cpuset_below(4);
	struct ctl_latency l = {.trusted = true};
	struct matrix *m;

	(void)state;
	cpuset_add(&some, 77); /* not online */
	m = matrix_new(&some);
	matrix_at(m, 3, 1)->ns = 12.5f;
	matrix_at(m, 4, 1)->ns = 99.0f;
	ctl_latency_set(&l, r, m);
	assert_int_equal(l.matrix->n, 32);
	assert_true(matrix_at(l.matrix, 3, 1)->ns > 12);
	assert_true(matrix_at(l.matrix, 4, 1)->ns <= 0);
	assert_false(l.trusted);
	ctl_latency_set(&l, r, NULL); /* in place of the first */
	assert_true(matrix_at(l.matrix, 3, 1)->ns <= 0);
	assert_int_equal(l.n_tiers, r->n_tiers);
	ctl_latency_fini(&l);
	matrix_free(m);
	ranking_free(r);
	topo_free(t);
}

/* Tier k of a host of 32 CPUs has blocks of k + 2, the last one of all. */
static void
too_many_tiers_are_joined(void **state)
{
	enum { TIERS = 31, CPUS = 32 };
	struct tier tiers[TIERS] = {{0}};
	struct domain *domains = xcalloc((size_t)TIERS * CPUS, sizeof(*domains));
	struct ranking r = {.n_tiers = TIERS, .tiers = tiers, .domains = domains};
	struct ctl_latency l = {0};
	struct ctl_latency back;

	(void)state;
	for (unsigned int k = 0; k < TIERS; k++) {
		tiers[k].latency_ns = (float)(k + 10);
		tiers[k].first_domain = r.n_domains;
		domains[r.n_domains++].cpus = cpuset_below(k + 2);
		for (unsigned int cpu = k + 2; cpu < CPUS; cpu++)
			domains[r.n_domains++].cpus = cpuset_of(cpu);
		tiers[k].n_domains = r.n_domains - tiers[k].first_domain;
	}
	ctl_latency_set(&l, &r, NULL);
	assert_int_equal(l.n_tiers, CTL_LATENCY_TIERS_MAX);
	assert_int_equal(l.tiers[CTL_LATENCY_TIERS_MAX - 1].n_domains, 1);
	assert_int_equal(cpuset_count(&l.tiers[CTL_LATENCY_TIERS_MAX - 2].domains[0]),
		CTL_LATENCY_TIERS_MAX);
	send_and_read(&l, &back);
	assert_same(&l, &back);
	ctl_latency_fini(&l);
	ctl_latency_fini(&back);
	free(domains);
}

static void
largest_host_fits_the_caps(void **state)
{
	static const struct layout huge = {
		.packages = 16, .nodes = 1, .l3s = 4, .cores = 16, .threads = 2};
	struct ctl_latency l = model_of(&huge);
	struct ctl_latency back;

	(void)state;
	assert_int_equal(l.matrix->n, CPUSET_CAP);
	for (size_t i = 0; i < matrix_pairs(CPUSET_CAP); i++)
		l.matrix->cells[i].ns = (float)(1000 + i % 8999) + 0.3f;
	send_and_read(&l, &back);
	assert_same(&l, &back);
	ctl_latency_fini(&l);
	ctl_latency_fini(&back);
}

/* ---- what nobody should send ---- */

/* A whole reply of three CPUs; each case replaces one piece of it. */
static const char good[] =
	"{\"trusted\":true,\"source\":\"measured\",\"fingerprint\":\"00ff\","
	"\"measured\":5,\"tiers\":["
	"{\"latency_ns\":10,\"confidence\":0.9,\"domains\":[{\"cpus\":\"0-1\"},"
	"{\"cpus\":\"4\"}]},"
	"{\"latency_ns\":20.5,\"confidence\":1,\"domains\":[{\"cpus\":\"0-1,4\"}]}],"
	"\"rows\":[{\"cpu\":0,\"ns\":[0,10.5,20]},{\"cpu\":1,\"ns\":[10.5,0,21]},"
	"{\"cpu\":4,\"ns\":[20,21,0]}]}";

static int
parse_text(const char *text, struct ctl_latency *out, struct err *e)
{
	auto_json json_t *reply = json_loads(text, 0, NULL);

	assert_non_null(reply);
	return ctl_latency_parse(reply, out, e);
}

static char *
with(const char *old, const char *new)
{
	const char *p = strstr(good, old);

	assert_non_null(p);
	return xasprintf("%.*s%s%s", (int)(p - good), good, new, p + strlen(old));
}

static const struct {
	const char *old;
	const char *new;
	const char *text;
} broken[] = {
	{"\"trusted\":true,", "", "trusted"},
	{"true", "1", "trusted"},
	{"\"measured\"", "null", "source"},
	{"\"00ff\"", "\"00f\\u001b\"", "fingerprint"},
	{"\"00ff\"", "\"0123456789abcdef0\"", "fingerprint"},
	{"\"00ff\"", "null", "fingerprint"},
	{":5", ":-5", "time"},
	{":5", ":\"now\"", "time"},
	{"\"tiers\":", "\"tears\":", "no tiers"},
	{"\"rows\":[", "\"rows\":{},\"x\":[", "rows that are no list"},
	{"\"rows\":[", "\"rows\":[],\"x\":[", "no rows"},
	{"\"cpu\":1", "\"cpu\":0", "order"},
	{"\"cpu\":1", "\"cpu\":5", "order"},
	{"\"cpu\":4", "\"cpu\":2048", "order"},
	{"\"cpu\":0", "\"cpu\":-1", "order"},
	{"\"cpu\":1", "\"cpu\":1.0", "order"},
	{"{\"cpu\":4,\"ns\":[20,21,0]}", "4", "order"},
	{"[0,10.5,20]", "[0,10.5]", "as long"},
	{"[0,10.5,20]", "[0,10.5,20,1]", "as long"},
	{"[0,10.5,20]", "{}", "as long"},
	{"[0,10.5,20]", "[1,10.5,20]", "to itself"},
	{"[0,10.5,20]", "[0,10.4,20]", "two latencies"},
	{"[0,10.5,20]", "[0,10.5,null]", "no latency"},
	{"[20,21,0]", "[-20,21,0]", "no latency"},
	{"[20,21,0]", "[1e10,21,0]", "no latency"},
	{"[20,21,0]", "[\"20\",21,0]", "no latency"},
	{"\"latency_ns\":10,", "", "without latency"},
	{"\"latency_ns\":10,", "\"latency_ns\":-10,", "without latency"},
	{"0.9", "1.1", "or confidence"},
	{"\"domains\":[{\"cpus\":\"0-1,4\"}]", "\"domains\":[]", "without domains"},
	{"\"domains\":[{\"cpus\":\"0-1,4\"}]", "\"domains\":7", "without domains"},
	{"\"0-1\"", "\"\"", "without CPUs"},
	{"\"0-1\"", "\"0-9999\"", "without CPUs"},
	{"\"0-1\"", "\"zero\"", "without CPUs"},
	{"{\"cpus\":\"4\"}", "{\"cpus\":\"1,4\"}", "overlap"},
	{"{\"cpus\":\"0-1\"},{\"cpus\":\"4\"}", "{\"cpus\":\"4\"},{\"cpus\":\"0-1\"}",
		"order"},
	{"{\"cpus\":\"0-1\"},{\"cpus\":\"4\"}", "{\"cpus\":\"0-1\"}", "nest"},
	{"{\"cpus\":\"4\"}", "{\"cpus\":\"5\"}", "nest"},
	{"{\"cpus\":\"4\"}", "{\"cpus\":\"4-5\"}", "nest"},
	{"\"0-1,4\"", "\"0-1\"", "other CPUs"},
	{"{\"cpus\":\"0-1,4\"}", "{\"cpus\":\"0-1\"},{\"cpus\":\"4\"}",
		"not the whole host"},
};

static void
replies_that_break_a_promise_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		auto_free char *text = with(broken[i].old, broken[i].new);
		struct ctl_latency l = {.measured_us = 42};
		struct err e = ERR_NONE;

		if (parse_text(text, &l, &e) != -EPROTO ||
			strstr(e.text, broken[i].text) == NULL)
			fail_msg("case %zu: '%s' in %s", i, e.text, text);
		assert_int_equal(l.measured_us, 42);
		assert_null(l.matrix);
	}
}

/* What is read can be sent again: every promise holds. */
static void
damaged_replies_are_refused_or_whole(void **state)
{
	uint64_t seed = 20;
	unsigned int read = 0;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		char text[sizeof(good) + 16];
		size_t len = sizeof(good) - 1;
		json_t *reply;
		struct ctl_latency l;
		struct ctl_latency again;

		memcpy(text, good, len);
		len = mutate_text(text, len, sizeof(text), &seed);
		reply = json_loadb(text, len, 0, NULL);
		if (json_is_object(reply) && ctl_latency_parse(reply, &l, NULL) == 0) {
			send_and_read(&l, &again);
			assert_same(&l, &again);
			ctl_latency_fini(&l);
			ctl_latency_fini(&again);
			read++;
		}
		json_decref(reply);
	}
	assert_in_range(read, 100, 19000); /* both happen */
}

static void
too_long_lists_are_refused(void **state)
{
	struct strbuf many = {0};
	struct ctl_latency l;
	struct err e = ERR_NONE;

	(void)state;
	for (unsigned int i = 0; i < CTL_LATENCY_TIERS_MAX; i++)
		strbuf_adds(&many, "{\"latency_ns\":1,\"confidence\":1,"
				   "\"domains\":[{\"cpus\":\"0-1,4\"}]},");
	strbuf_adds(&many, "{\"latency_ns\":10,");
	auto_free char *text = with("{\"latency_ns\":10,", many.s);
	assert_int_equal(parse_text(text, &l, &e), -EPROTO);
	assert_non_null(strstr(e.text, "no tiers, or too many"));
	strbuf_fini(&many);
}

static void
rows_may_be_left_out(void **state)
{
	auto_free char *text = with("\"rows\":[", "\"rows\":null,\"x\":[");
	struct ctl_latency l;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(parse_text(text, &l, &e), 0);
	assert_int_equal(l.matrix->n, 3);
	assert_int_equal(l.matrix->cpus[2], 4);
	assert_true(matrix_at(l.matrix, 2, 0)->ns <= 0);
	ctl_latency_fini(&l);
	assert_int_equal(parse_text(good, &l, &e), 0);
	assert_true(matrix_at(l.matrix, 2, 0)->ns > 19);
	assert_int_equal(l.n_tiers, 2);
	ctl_latency_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_comes_back),
		cmocka_unit_test(reply_has_the_declared_shape),
		cmocka_unit_test(class_model_is_told_as_such),
		cmocka_unit_test(values_are_for_the_cpus_of_the_tiers),
		cmocka_unit_test(too_many_tiers_are_joined),
		cmocka_unit_test(largest_host_fits_the_caps),
		cmocka_unit_test(replies_that_break_a_promise_are_refused),
		cmocka_unit_test(damaged_replies_are_refused_or_whole),
		cmocka_unit_test(too_long_lists_are_refused),
		cmocka_unit_test(rows_may_be_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
