// SPDX-License-Identifier: MIT
/*
 * When the latencies between the host's CPUs are measured, and what becomes of the
 * results: what is kept from earlier is used at once, what is missing is measured in
 * the background, placement changes over when the whole deserves trust. Nothing is
 * measured twice unless somebody asks.
 */
#ifndef QMPIN_DAEMON_PROBING_H
#define QMPIN_DAEMON_PROBING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "daemon/hostmodel.h"
#include "topo/cpuset.h"

struct engine;
struct probing;

struct probing_options {
	struct engine *engine; /* borrowed */
	const char *state_dir;
	bool foreign; /* the host that is planned for is not this one: what is kept for
		       * it is used, nothing is measured */
};

/* What somebody wants measured, afresh. */
struct probing_wish {
	struct cpuset cpus; /* empty: all */
	double budget_s;    /* 0: until all is known */
	bool exhaustive;
};

/* How far it is, as schedule_progress has it. */
struct probing_progress {
	unsigned int pairs;
	unsigned int pairs_total;
	unsigned int visits;
	unsigned int visits_total; /* 0: it has said nothing yet */
	const char *text;	   /* borrowed for the call */
};

/* Who asked. */
struct probing_client {
	void (*on_progress)(void *owner, const struct probing_progress *progress);
	/* The last call. @why NULL: it is done, and the last text says what. */
	void (*on_end)(void *owner, const struct err *why,
		const struct probing_progress *last);
	/* Looked at now and then: what nobody waits for is ended. */
	bool (*is_wanted)(void *owner);
};

/** Does nothing yet. Never NULL. */
struct probing *probing_new(const struct probing_options *o);

/** Use what is kept, measure what is missing. */
void probing_start(struct probing *p);

/** Another model of the host, before the engine has it: give it what is known. */
void probing_equip(struct probing *p, struct hostmodel *h);

/** The engine has another model: measure CPUs that are new. */
void probing_host_changed(struct probing *p);

/** The engine's settings of measuring are others: go on by them, with what is known. */
void probing_configured(struct probing *p);

/** Somebody asks for it: measure all afresh, as far as the settings want it. Until that
 * deserves as much trust, what was known counts. */
void probing_again(struct probing *p);

/**
 * Measure what somebody wants; the same wish joins one that is under way.
 *
 * @client  borrowed, as @owner, until on_end; with a joined wish the same as before
 *
 * Returns 0, -EBUSY (another wish is under way), or another errno with @e.
 */
MUST_CHECK int probing_ask(struct probing *p, const struct probing_wish *wish,
	const struct probing_client *client, void *owner, struct err *e);

/* What io.qmpin calls it: what latencies are known. */
enum { PROBING_MODEL, PROBING_MEASURING, PROBING_MEASURED, PROBING_UNTRUSTED };
#define PROBING_N_STATES 4u
extern const char *const probing_states[PROBING_N_STATES];

/** One of these words. Here and below, with @p NULL nothing is measured, and nothing is
 * wrong with that. */
const char *probing_state(const struct probing *p);

/** What is wrong, new text for status, or NULL. */
char *probing_warning(const struct probing *p);

/** When the last new value came, microseconds since the epoch; 0: never. */
uint64_t probing_measured_us(const struct probing *p);

/** End what runs and keep what is known. NULL is allowed. */
void probing_free(struct probing *p);

#endif
