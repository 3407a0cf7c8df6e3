// SPDX-License-Identifier: MIT
/*
 * A policy through a scenario: after each event the kernel's part is done, the policy
 * writes masks, the judge judges.
 */
#ifndef QMPIN_BENCH_RUN_H
#define QMPIN_BENCH_RUN_H

#include "host.h"
#include "judge.h"
#include "rnd.h"
#include "scenario.h"

/* What is being tried with the planner; peers do not look. */
struct tune {
	bool from_empty; /* steps that only fill the host are judged too */
	double credit;	 /* vCPUs that rebalance may move for each event; 0: off */
	double width;	 /* factor of the waiting that a placement may cause */
	int term;	 /* one whose weight is multiplied, or -1 */
	double weight;
	unsigned int rounds; /* of the search */
};

struct tune tune_default(void);

struct run {
	struct bench_host *host;
	const struct tune *tune;
	struct site site;
	struct rnd rnd;	      /* the policy's own choices */
	void *memo;	      /* the policy's own */
	unsigned int refused; /* VMs that it could not place */
	double moved_gib;
};

struct policy {
	const char *name;
	const char *what;	       /* in a few words */
	void *(*begin)(struct run *r); /* NULL: no memo */
	/* @vm  who started or got vCPUs; NULL: nobody */
	void (*on_event)(
		struct run *r, const struct replay_event *e, struct site_vm *vm);
	void (*end)(struct run *r); /* frees the memo */
};

struct score {
	unsigned int steps;
	double sums[N_MEASURES];
	size_t n_waits;
	size_t cap_waits;
	float *waits; /* of all draws of all steps */
	double moved; /* vCPUs, without need */
	double moved_gib;
	unsigned int refused;
	unsigned int starts;
	double ms; /* CPU time of the policy */
};

/** Add a scenario to @score (zero-initialised; score_fini it). */
void run_scenario(const struct policy *p, struct bench_host *h, const struct tune *tune,
	const struct scenario *sc, struct score *score);

/** Mean over the steps. */
double score_mean(const struct score *s, enum measure m);
/** The 95th percentile of all draws of all steps. */
double score_p95(const struct score *s);
/** wait <= 0.01 and wait95 <= 0.05, as mean over the steps and over all draws. */
bool score_meets(const struct score *s);
void score_fini(struct score *s);

#endif
