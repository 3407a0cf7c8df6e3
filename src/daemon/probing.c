// SPDX-License-Identifier: MIT
/*
 * When latencies are measured, and what becomes of the results. One child at a time: in
 * the background for ourselves, or for somebody who asked; then the background waits.
 * Invariant: what is known and the engine's model change together, in adopt() and
 * probing_equip().
 */
#include "config.h"

#include "daemon/probing.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/busy.h"
#include "daemon/engine.h"
#include "daemon/intake.h"
#include "daemon/knowledge.h"
#include "daemon/probelog.h"
#include "daemon/proberun.h"
#include "qmp/backoff.h"

/* While a child runs: results, lists of busy CPUs and who waits are looked at. */
#define TICK_MS 500u
/* Back-off after failures, doubled; the longest also where something stays missing. */
#define RETRY_MIN_MS 60000u
#define RETRY_MAX_MS 3600000u
/* Two measurements of one host do not deserve exactly the same trust. */
#define AS_MUCH_TRUST 0.9
/* Progress is told no more often. */
#define PROGRESS_US 100000u
/* Somebody waits: the larger share of time for as long as it takes. It is what a host
 * can always bear, see probe/pace.h. */
#define ASKED_COLD_S 3600.0

struct probing {
	struct engine *engine;
	bool foreign;
	struct knowledge known;
	struct probelog log;
	bool afresh; /* what is known is not handed over; it stays until it is beaten */
	unsigned int failures;
	struct event *tick;
	struct event *retry;

	struct proberun *run; /* NULL: nothing is measured */
	bool superseded;      /* it is being ended; what comes next is started then */
	bool builds;	      /* on what is known */
	struct cpuset cpus;   /* what it measures */
	uint64_t began_us;
	struct probing_progress last; /* its last word, with text for one call only */
	struct intake result;	      /* not taken in yet, or not good enough so far */

	const struct probing_client *client; /* it runs for somebody; NULL: for us */
	void *owner;
	struct probing_wish wish;
	uint64_t told_us;
};

static void start_background(struct probing *p);
static void go_on(struct probing *p);

static struct hostmodel *
host_of(const struct probing *p)
{
	return &p->engine->host;
}

static uint64_t
real_us(void)
{
	return clock_now_us(clock_system());
}

static double
took_s(const struct probing *p)
{
	return (double)(real_us() - p->began_us) / 1e6;
}

/* ---- results ---- */

/* Another measurement is in force. */
static void
adopt(struct probing *p, struct matrix *m, const struct cache *result,
	struct hostmodel_verdict *v, bool final)
{
	bool other = hostmodel_accept(host_of(p), v);

	knowledge_take(&p->known, m, result, !p->builds);
	probelog_taken(&p->log, host_of(p), took_s(p), other, final);
	if (other)
		engine_kick_all(p->engine, CAUSE_MEASURED);
	knowledge_save(&p->known, final);
}

/* It did not end for want of time, of which only those who ask have a budget. */
static bool
is_complete(const struct probing *p)
{
	return p->client == NULL || !(p->wish.budget_s > 0) ||
	       (p->last.visits_total > 0 && p->last.visits == p->last.visits_total);
}

/* Good enough to count, or as good as it gets. */
static bool
is_wanted(const struct probing *p, const struct hostmodel_verdict *v, bool final)
{
	bool beats = p->client == NULL && !p->afresh;

	return (final && is_complete(p)) || beats ||
	       v->trust >= AS_MUCH_TRUST * hostmodel_trust(host_of(p));
}

/* Returns 0 or -EPROTO with @e: it is no measurement of this host. */
static int
take_result(struct probing *p, bool final, struct err *e)
{
	struct hostmodel *h = host_of(p);
	struct hostmodel_verdict v;
	struct cache c = {0};
	struct matrix *m;

	p->result.is_new = false;
	if (cache_parse(p->result.text, p->result.len, "its result", &c, e) < 0)
		return -EPROTO;
	hostmodel_identify(h, c.fingerprint);
	if (cache_check(&c, h->id.fingerprint, h->topo, "its result", e) < 0) {
		cache_fini(&c);
		return -EPROTO;
	}
	m = knowledge_with(&p->known, &c, final && p->client == NULL);
	hostmodel_judge(h, m, &v);
	if (is_wanted(p, &v, final)) {
		adopt(p, m, &c, &v, final);
		p->afresh = p->afresh && p->client != NULL;
		intake_drop(&p->result);
	} else {
		if (final)
			log_info("latency: a probe was cut short by its budget: it "
				 "deserves less trust than what is known, which stays");
		hostmodel_verdict_fini(&v);
		matrix_free(m);
	}
	cache_fini(&c);
	return 0;
}

/* ---- the child's end ---- */

static void
forget_run(struct probing *p)
{
	proberun_free(take_ptr(&p->run));
	intake_drop(&p->result);
	(void)evtimer_del(p->tick);
	p->superseded = false;
}

/* Something else is to be measured: go_on is called when the child has gone. */
static void
supersede(struct probing *p)
{
	const struct err why = {.text = "something else is to be measured"};

	p->superseded = true;
	intake_drop(&p->result);
	(void)evtimer_del(p->tick);
	proberun_end(p->run, &why);
}

static void
try_later(struct probing *p, uint64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), 0};

	(void)evtimer_add(p->retry, &tv);
}

static void
fail(struct probing *p, const struct err *why)
{
	uint64_t ms = backoff_ms(++p->failures, RETRY_MIN_MS, RETRY_MAX_MS, 0);

	probelog_failed(&p->log, why, ms);
	try_later(p, ms);
}

static void
tell_client(struct probing *p, const struct err *why)
{
	const struct probing_client *client = take_ptr(&p->client);
	char how[80];

	p->last.text = probelog_how(host_of(p), took_s(p), how, sizeof(how));
	client->on_end(p->owner, why, &p->last);
	p->last.text = "";
}

/* @why NULL: it is done. */
static void
end_run(struct probing *p, const struct err *why)
{
	struct err wrong = ERR_NONE;

	if (p->result.text != NULL && (p->result.is_new || why == NULL) &&
		take_result(p, why == NULL, &wrong) < 0)
		why = &wrong;
	forget_run(p);
	if (p->client != NULL) {
		tell_client(p, why);
		start_background(p);
		return;
	}
	if (why != NULL) {
		fail(p, why);
		return;
	}
	p->failures = 0;
	p->afresh = false;
	probelog_works(&p->log);
	/* a CPU that blinked, was held by others all the time, or is not allowed */
	if (!knowledge_covers(&p->known, host_of(p)))
		try_later(p, RETRY_MAX_MS);
	if (host_of(p)->matrix != NULL)
		probelog_taken(&p->log, host_of(p), took_s(p), false, true);
	knowledge_save(&p->known, true);
}

/* The newest result, if it is time. A child that makes no sense is ended. */
static void
look_at_result(struct probing *p)
{
	struct err why = ERR_NONE;
	uint64_t began_us = real_us();

	if (!intake_is_due(&p->result, began_us))
		return;
	if (take_result(p, false, &why) < 0) {
		intake_drop(&p->result);
		proberun_end(p->run, &why);
		return;
	}
	intake_rest(&p->result, began_us, real_us());
}

/* ---- the child's words ---- */

static void
on_run_progress(void *owner, const struct wire_message *m)
{
	struct probing *p = owner;
	char text[160];

	p->last = (struct probing_progress){.text = "",
		.pairs = m->pairs,
		.pairs_total = m->pairs_total,
		.visits = m->visits,
		.visits_total = m->visits_total};
	if (p->client == NULL || real_us() - p->told_us < PROGRESS_US)
		return;
	p->told_us = real_us();
	p->last.text = str_escape(m->text, m->len, text, sizeof(text));
	p->client->on_progress(p->owner, &p->last);
	p->last.text = "";
}

static void
on_run_note(void *owner, const char *text)
{
	struct probing *p = owner;

	probelog_note(&p->log, text);
}

static void
on_run_result(void *owner, const char *text, size_t len)
{
	struct probing *p = owner;

	intake_put(&p->result, text, len);
	look_at_result(p);
}

static void
on_run_end(void *owner, const struct err *why)
{
	struct probing *p = owner;

	if (!p->superseded) {
		end_run(p, why);
		return;
	}
	forget_run(p);
	go_on(p);
}

static const struct proberun_handlers handlers = {
	.on_progress = on_run_progress,
	.on_note = on_run_note,
	.on_result = on_run_result,
	.on_end = on_run_end,
};

/* ---- the child's beginning ---- */

static int
start_run(struct probing *p, double cold_s, struct err *e)
{
	const struct engine *engine = p->engine;
	struct cpuset busy = busy_cpus(engine);
	bool asked = p->client != NULL;
	size_t known_len = 0;
	auto_free char *known = NULL;
	auto_free char *cpus = xcalloc(CPUSET_TEXT_MAX, 1);
	const struct timeval tick = {.tv_usec = TICK_MS * 1000};
	struct proberun_options o = {.base = engine->base, .avoid = &busy};
	int r;

	if (!asked && !p->afresh)
		known = knowledge_text(&p->known, host_of(p), &known_len);
	p->builds = known != NULL;
	cpuset_format(&p->cpus, cpus, CPUSET_TEXT_MAX);
	p->began_us = real_us();
	p->last = (struct probing_progress){.text = ""};
	p->result.due_us = 0;
	o.known = known;
	o.known_len = known_len;
	o.child = (struct child_options){
		.cpus = cpus,
		.cold_s = cold_s,
		.budget_s = asked ? p->wish.budget_s : 0,
		.cpus_pct = engine->config.probe_cpus_pct,
		.exhaustive = asked && p->wish.exhaustive,
	};
	r = proberun_new(&o, &handlers, p, &p->run, e);
	if (r == 0)
		(void)evtimer_add(p->tick, &tick);
	return r;
}

/* Nothing is measured where it makes no sense or is not wanted. */
static bool
can_measure(const struct probing *p)
{
	const struct hostmodel *h = host_of(p);

	return !p->foreign && h->id.fingerprint[0] != '\0' && h->topo->n_pus > 1;
}

static void
start_background(struct probing *p)
{
	const struct settings *config = &p->engine->config;
	struct err why = ERR_NONE;
	bool cold = p->afresh || !knowledge_covers(&p->known, host_of(p));

	if (p->run != NULL || evtimer_pending(p->retry, NULL) || !can_measure(p) ||
		config->probe == SETTINGS_PROBE_NO)
		return;
	p->cpus = host_of(p)->topo->online;
	if (start_run(p, cold ? config->probe_burst_s : 0, &why) < 0)
		fail(p, &why);
}

/* What somebody wishes. */
static int
start_asked(struct probing *p, struct err *e)
{
	const struct probing_wish *wish = &p->wish;

	p->cpus = cpuset_empty(&wish->cpus) ? host_of(p)->topo->online : wish->cpus;
	return start_run(p, wish->budget_s > 0 ? wish->budget_s : ASKED_COLD_S, e);
}

static void
go_on(struct probing *p)
{
	struct err why = ERR_NONE;

	if (p->client != NULL && start_asked(p, &why) < 0)
		tell_client(p, &why);
	start_background(p);
}

static void
on_retry_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_background(arg);
}

static void
on_run_tick(evutil_socket_t fd, short what, void *arg)
{
	struct probing *p = arg;
	struct cpuset busy = busy_cpus(p->engine);
	const struct err cancelled = {.text = "nobody waits for it any more"};

	(void)fd;
	(void)what;
	if (p->client != NULL && !p->client->is_wanted(p->owner)) {
		log_info("latency: a probe was given up: %s", cancelled.text);
		supersede(p);
		tell_client(p, &cancelled);
		return;
	}
	proberun_avoid(p->run, &busy);
	look_at_result(p);
	knowledge_save(&p->known, false);
}

/* ---- what others do ---- */

struct probing *
probing_new(const struct probing_options *o)
{
	struct probing *p = xcalloc(1, sizeof(*p));

	p->engine = o->engine;
	p->foreign = o->foreign;
	knowledge_init(&p->known, o->engine->clock, o->state_dir);
	p->tick = event_new(o->engine->base, -1, EV_PERSIST, on_run_tick, p);
	p->retry = evtimer_new(o->engine->base, on_retry_timeout, p);
	return p;
}

/* What is kept for @h, if it is not what is known already. */
static void
recall(struct probing *p, const struct hostmodel *h)
{
	struct err why = ERR_NONE;
	int r;

	if (!p->foreign && knowledge_fits(&p->known, h))
		return;
	r = knowledge_load(&p->known, h, &why);
	if (r < 0 && r != -ENOENT)
		probelog_refused(&why, !p->foreign);
}

void
probing_equip(struct probing *p, struct hostmodel *h)
{
	struct hostmodel_verdict v;
	bool other;

	recall(p, h);
	if (p->known.cache.matrix == NULL) {
		p->log.trusted = false;
		return;
	}
	hostmodel_judge(h, p->known.cache.matrix, &v);
	other = hostmodel_accept(h, &v);
	probelog_taken(&p->log, h, -1, other && !p->log.trusted, true);
}

void
probing_start(struct probing *p)
{
	probing_equip(p, host_of(p));
	start_background(p);
}

void
probing_host_changed(struct probing *p)
{
	const struct cpuset *online = &host_of(p)->topo->online;

	if (p->failures == 0)
		(void)evtimer_del(p->retry);
	if (p->run != NULL && p->client == NULL && !cpuset_within(online, &p->cpus))
		supersede(p);
	else if (!knowledge_covers(&p->known, host_of(p)))
		start_background(p);
	/* one that has gone is measured no more, also when it comes back */
	p->cpus = cpuset_and(&p->cpus, online);
}

void
probing_configured(struct probing *p)
{
	if (p->run != NULL && p->client == NULL)
		supersede(p);
	if (p->failures == 0)
		(void)evtimer_del(p->retry);
	start_background(p);
}

void
probing_again(struct probing *p)
{
	p->afresh = true;
	p->failures = 0;
	probelog_works(&p->log);
	(void)evtimer_del(p->retry);
	probing_configured(p);
}

static bool
same_wish(const struct probing_wish *a, const struct probing_wish *b)
{
	return cpuset_equal(&a->cpus, &b->cpus) && a->exhaustive == b->exhaustive &&
	       !(a->budget_s < b->budget_s) && !(a->budget_s > b->budget_s);
}

int
probing_ask(struct probing *p, const struct probing_wish *wish,
	const struct probing_client *client, void *owner, struct err *e)
{
	int r;

	if (p->foreign)
		return err_set(e, -EXDEV, NULL, 0,
			"plans are made for another host than this one");
	if (!can_measure(p))
		return err_set(e, -ENODEV, NULL, 0, "there is nothing to measure");
	if (p->client != NULL)
		return same_wish(&p->wish, wish) ? 0 : -EBUSY;
	p->wish = *wish;
	p->client = client;
	p->owner = owner;
	if (p->run != NULL) {
		supersede(p);
		return 0;
	}
	r = start_asked(p, e);
	if (r < 0) {
		p->client = NULL;
		start_background(p);
	}
	return r;
}

const char *const probing_states[PROBING_N_STATES] = {
	[PROBING_MODEL] = "model",
	[PROBING_MEASURING] = "measuring",
	[PROBING_MEASURED] = "measured",
	[PROBING_UNTRUSTED] = "untrusted",
};

const char *
probing_state(const struct probing *p)
{
	const struct hostmodel *h = p != NULL ? host_of(p) : NULL;

	if (h == NULL)
		return probing_states[PROBING_MODEL];
	if (h->ranking->trusted)
		return probing_states[PROBING_MEASURED];
	if (p->run != NULL && !p->superseded)
		return probing_states[PROBING_MEASURING];
	return probing_states[h->matrix != NULL ? PROBING_UNTRUSTED : PROBING_MODEL];
}

char *
probing_warning(const struct probing *p)
{
	if (p == NULL)
		return NULL;
	if (p->log.trouble[0] != '\0')
		return xasprintf("latency: qmpin-probe: %s", p->log.trouble);
	if (p->known.trouble[0] != '\0')
		return xasprintf("latency: not kept: %s", p->known.trouble);
	return NULL;
}

uint64_t
probing_measured_us(const struct probing *p)
{
	return p != NULL ? p->known.cache.measured_s * 1000000 : 0;
}

void
probing_free(struct probing *p)
{
	const struct err ends = {.text = "qmpind ends"};
	const struct probing_client *client;

	if (p == NULL)
		return;
	if (!p->foreign)
		knowledge_save(&p->known, true);
	forget_run(p);
	client = take_ptr(&p->client);
	if (client != NULL)
		client->on_end(p->owner, &ends, &p->last);
	event_free(p->tick);
	event_free(p->retry);
	knowledge_fini(&p->known);
	free(p);
}
