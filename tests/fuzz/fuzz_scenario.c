// SPDX-License-Identifier: MIT
/*
 * Lines of a scenario: an error has a text with its line and leaves the output alone,
 * what is accepted keeps to its bounds.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "cli/scenario.h"

static void
check_amounts(const struct replay_amount *a, unsigned int n, double max)
{
	for (unsigned int i = 0; i < n; i++)
		assert(a[i].id < CPUSET_CAP && a[i].value >= 0 && a[i].value <= max);
}

static void
check_start(const struct replay_start *s)
{
	assert(s->n_vcpus >= 1 && s->n_vcpus <= s->max_vcpus);
	assert(s->max_vcpus <= PLAN_VCPUS_MAX && s->threads_per_core >= 1);
	assert(s->n_guest_nodes <= SCENARIO_GUEST_NODES_MAX);
	assert((s->guest_vcpus != NULL) == (s->n_guest_nodes > 0));
	assert(s->host_nodes == NULL || s->n_guest_nodes > 0);
	assert(s->memory_gib >= 0 && s->memory_gib <= SCENARIO_GIB_MAX);
	assert(s->weight >= 0 && s->cpulimit >= 0);
	check_amounts(s->resident, s->n_resident, SCENARIO_GIB_MAX);
}

static void
check(struct scenario *s, const char *text, size_t len)
{
	struct replay_event ev = {.cpu = UINT32_MAX};
	struct err e = ERR_NONE;
	int r = scenario_read(s, text, len, &ev, &e);

	assert((r < 0) == err_is_set(&e) && (r == 1 || ev.cpu == UINT32_MAX));
	assert(r >= 0 || e.line == s->line);
	assert(r >= 0 || r == -ERANGE || r == -EINVAL || r == -EBADMSG || r == -E2BIG);
	assert(s->n_unknown <= SCENARIO_UNKNOWN_MAX);
	if (r != 1)
		return;
	assert(ev.kind < REPLAY_N_KINDS && strlen(ev.id) < REPLAY_ID_MAX);
	assert(isnan(ev.t_s) || isfinite(ev.t_s));
	if (ev.kind == REPLAY_START)
		check_start(&ev.start);
	check_amounts(ev.free, ev.n_free, SCENARIO_GIB_MAX);
	check_amounts(ev.background, ev.n_background, 1);
	replay_event_fini(&ev);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scenario s = scenario_new("fuzz");
	const char *text = (const char *)data;

	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t len = end != NULL ? (size_t)(end - text) : size;

		check(&s, text, len);
		len += end != NULL;
		text += len;
		size -= len;
	}
	return 0;
}
