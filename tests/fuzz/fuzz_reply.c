// SPDX-License-Identifier: MIT
/*
 * Replies that the command line reads: a host and its latencies, from a daemon that is
 * not believed. What is accepted survives being told again.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/json.h"
#include "ctl/latency.h"
#include "ctl/topology.h"
#include "ctl/varlink.h"
#include "parts.h"

static void
check_tiers(const struct ctl_latency *l)
{
	assert(l->n_tiers > 0 && l->n_tiers <= CTL_LATENCY_TIERS_MAX);
	assert(l->matrix != NULL);
	for (unsigned int i = 0; i < l->n_tiers; i++) {
		const struct ctl_tier *t = &l->tiers[i];

		assert(isfinite(t->latency_ns) && isfinite(t->confidence));
		assert(t->n_domains > 0);
		for (unsigned int d = 0; d < t->n_domains; d++) {
			assert(!cpuset_empty(&t->domains[d]));
			for (unsigned int k = 0; k < d; k++)
				assert(!cpuset_overlap(&t->domains[k], &t->domains[d]));
		}
	}
	assert(l->tiers[l->n_tiers - 1].n_domains == 1);
}

/* Told twice it is the same, in both ways of telling it. */
static void
check_latency(const json_t *reply)
{
	struct ctl_latency l = {.measured_us = 7};
	struct ctl_latency again;
	struct err e = ERR_NONE;
	int r = ctl_latency_parse(reply, &l, &e);

	assert((r < 0) == err_is_set(&e) && (r == 0 || r == -EPROTO));
	if (r < 0) {
		assert(l.measured_us == 7 && l.matrix == NULL);
		return;
	}
	check_tiers(&l);
	{
		auto_json json_t *told = ctl_latency_json(&l);
		auto_free char *text = ctl_latency_text(&l);
		auto_json json_t *read = json_loads(text, 0, NULL);
		auto_json json_t *twice = NULL;

		assert(json_equal(told, read));
		r = ctl_latency_parse(told, &again, &e);
		assert(r == 0);
		twice = ctl_latency_json(&again);
		assert(json_equal(told, twice));
	}
	ctl_latency_fini(&again);
	ctl_latency_fini(&l);
}

static void
check_topology(const json_t *reply)
{
	struct cpuset mark = cpuset_of(7);
	struct cpuset reserved = mark;
	struct cpuset again;
	struct topo *t = NULL;
	struct topo *copy;
	struct err e = ERR_NONE;
	int r = ctl_topology_parse(reply, &t, &reserved, &e);

	assert((r < 0) == err_is_set(&e) && (r == 0 || r == -EPROTO));
	if (r < 0) {
		assert(t == NULL && cpuset_equal(&reserved, &mark));
		return;
	}
	assert(!cpuset_empty(&t->online));
	{
		auto_json json_t *told = ctl_topology_json(t, &reserved);

		r = ctl_topology_parse(told, &copy, &again, &e);
		assert(r == 0 && topo_equal(t, copy));
		assert(cpuset_equal(&reserved, &again));
	}
	topo_free(copy);
	topo_free(t);
}

static void
check(const char *bytes, size_t len, void (*read)(const json_t *parameters))
{
	struct varlink_reply reply;

	if (varlink_reply_decode(bytes, len, &reply, NULL) < 0)
		return;
	read(reply.parameters);
	varlink_reply_fini(&reply);
}

static void
check_as_latency(const char *bytes, size_t len)
{
	check(bytes, len, check_latency);
}

static void
check_as_topology(const char *bytes, size_t len)
{
	check(bytes, len, check_topology);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {check_as_latency, check_as_topology};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}
