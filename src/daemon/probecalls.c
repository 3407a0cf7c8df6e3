// SPDX-License-Identifier: MIT
/* Calls of Probe that wait for their measurement, and what GetLatency tells. */
#include "config.h"

#include "daemon/probecalls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/latency.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/asker.h"
#include "daemon/engine.h"
#include "daemon/probing.h"

/* A day: more is a slip of the finger. */
#define BUDGET_MAX_S 86400.0

/* Lives until it is answered, whatever its client does. */
struct probecall {
	struct probecall *next;
	struct ctl_call *call;
};

static json_t *
progress_json(bool done, const struct probing_progress *p)
{
	return ctl_probe_json(&(struct ctl_probe){
		.done = done,
		.pairs = p->pairs,
		.pairs_total = p->pairs_total,
		.visits = p->visits,
		.visits_total = p->visits_total,
		.text = p->text,
	});
}

static void
on_probing_progress(void *owner, const struct probing_progress *progress)
{
	const struct engine *e = owner;

	for (struct probecall *c = e->probecalls; c != NULL; c = c->next) {
		if (ctl_call_more(c->call) && !ctl_call_gone(c->call))
			ctl_reply(c->call, progress_json(false, progress), true);
	}
}

static void
answer(struct ctl_call *call, const struct err *why, json_t *done)
{
	if (why == NULL)
		ctl_reply(call, json_incref(done), false);
	else
		ctl_failed_by(call, why);
}

static void
on_probing_end(void *owner, const struct err *why, const struct probing_progress *last)
{
	struct engine *e = owner;
	auto_json json_t *done = progress_json(true, last);

	while (e->probecalls != NULL) {
		struct probecall *c = e->probecalls;

		e->probecalls = c->next;
		answer(c->call, why, done);
		free(c);
	}
}

/* Those whose client has gone are answered into nothing. */
static bool
on_probing_wanted(void *owner)
{
	struct engine *e = owner;
	struct probecall **at = &e->probecalls;

	while (*at != NULL) {
		struct probecall *c = *at;

		if (!ctl_call_gone(c->call)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		ctl_reply(c->call, json_object(), false);
		free(c);
	}
	return e->probecalls != NULL;
}

static const struct probing_client client = {
	.on_progress = on_probing_progress,
	.on_end = on_probing_end,
	.is_wanted = on_probing_wanted,
};

static int
refuse_cpus(struct err *e, const char *why)
{
	return err_set(e, -EINVAL, "cpus", 0, "%s", why);
}

static int
read_cpus(const struct engine *e, const json_t *params, struct cpuset *out,
	struct err *err)
{
	const char *text = NULL;
	int r = json_get_string(params, "cpus", &text);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || cpuset_parse(text, out) < 0)
		return refuse_cpus(err, "not a list of CPUs such as 0-3,8");
	if (!cpuset_within(out, &e->host.topo->online))
		return refuse_cpus(err, "some of them are not online");
	if (cpuset_count(out) < 2)
		return refuse_cpus(err, "at least two CPUs are needed");
	return 0;
}

/* @err: its source is the field that is wrong. */
static int
read_wish(const struct engine *e, const json_t *params, struct probing_wish *out,
	struct err *err)
{
	const json_t *budget = json_object_get(params, "budget_s");
	struct probing_wish wish = {.cpus = CPUSET_NONE};
	int exhaustive = 0;
	int r = read_cpus(e, params, &wish.cpus, err);

	if (r < 0)
		return r;
	if (json_is_number(budget))
		wish.budget_s = json_number_value(budget);
	if (!(wish.budget_s >= 0 && wish.budget_s <= BUDGET_MAX_S))
		return err_set(err, -EINVAL, "budget_s", 0, "not in 0 to %.0f seconds",
			BUDGET_MAX_S);
	if (json_get_bool(params, "exhaustive", &exhaustive) == -EINVAL)
		return err_set(err, -EINVAL, "exhaustive", 0, "not a bool");
	wish.exhaustive = exhaustive != 0;
	*out = wish;
	return 0;
}

static void
wait_for_end(struct engine *e, struct ctl_call *call)
{
	struct probecall *c = xcalloc(1, sizeof(*c));

	c->call = call;
	c->next = e->probecalls;
	e->probecalls = c;
	asker_log(e, call, LOG_INFO, "latency: a probe");
}

void
probecalls_on_probe(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	struct probing_wish wish;
	struct err why = ERR_NONE;
	int r;

	if (e->probing == NULL) {
		ctl_failed(call, "nothing is measured here");
		return;
	}
	if (read_wish(e, params, &wish, &why) < 0) {
		ctl_invalid_value(call, why.source, why.text);
		return;
	}
	r = probing_ask(e->probing, &wish, &client, e, &why);
	if (r == -EBUSY)
		ctl_error(call, "Busy",
			json_pack("{s:s}", "what",
				"a probe that somebody else has asked for"));
	else if (r < 0)
		ctl_failed_by(call, &why);
	else
		wait_for_end(e, call);
}

/* ---- GetLatency ---- */

static void
fill(const struct engine *e, struct ctl_latency *out)
{
	const struct hostmodel *h = &e->host;

	if (h->matrix == NULL) {
		ctl_latency_set_model(out, h->topo);
	} else {
		ctl_latency_set(out, h->ranking, h->matrix);
		out->trusted = h->why == NULL;
		out->measured_us = probing_measured_us(e->probing);
		if (h->why == NULL)
			str_copy(out->source, sizeof(out->source), "measured");
		else
			(void)snprintf(out->source, sizeof(out->source),
				"measured, not trusted: %s", h->why);
	}
	str_copy(out->fingerprint, sizeof(out->fingerprint), h->id.fingerprint);
}

void
probecalls_on_latency(void *owner, struct ctl_call *call, const json_t *params)
{
	struct ctl_latency latency = {0};
	auto_free char *text = NULL;

	(void)params;
	fill(owner, &latency);
	text = ctl_latency_text(&latency);
	ctl_reply_text(call, text, false);
	ctl_latency_fini(&latency);
}
