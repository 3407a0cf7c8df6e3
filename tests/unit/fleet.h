// SPDX-License-Identifier: MIT
/*
 * VMs on a made-up host for tests of the planner: add, plug, plan, and let the plan be
 * what they have next time, as the daemon does. And a judge of what they have that
 * shares no code with the planner.
 */
#ifndef QMPIN_TESTS_FLEET_H
#define QMPIN_TESTS_FLEET_H

#include "hosts.h"
#include "place/planner.h"
#include "place/score.h"

#define FLEET_MAX 4100u

struct fleet_vm {
	char id[16];
	struct plan_vm in;
	struct cpuset *masks; /* in.current points here; room for PLAN_VCPUS_MAX / 64 */
	double memory[64];  /* share of its memory on each node, once it was started */
	bool started;	    /* memory says something */
	unsigned int order; /* for baselines that start VMs in turn */
};

struct fleet {
	const struct host *host;
	struct plan_policy policy;
	const double *node_free_gib; /* as of plan_input */
	const double *background;
	unsigned int n;
	struct fleet_vm vms[FLEET_MAX];
};

/** Random numbers: the same for a seed everywhere. */
uint64_t fleet_random(uint64_t *state);
/** below @n */
unsigned int fleet_below(uint64_t *state, unsigned int n);

struct fleet *fleet_new(const struct host *host);
void fleet_free(struct fleet *f);

/** A VM that may use all CPUs and has never been placed. */
struct fleet_vm *fleet_add(
	struct fleet *f, const char *id, enum place_mode mode, unsigned int n_vcpus);

/** The same with a number as its id. */
struct fleet_vm *fleet_add_id(
	struct fleet *f, unsigned int id, enum place_mode mode, unsigned int n_vcpus);

/** The VM at @index stops; the others keep their order. */
void fleet_remove(struct fleet *f, unsigned int index);

/** What the planner is told. @vms: room for f->n, in use as long as the input. */
struct plan_input fleet_input(const struct fleet *f, struct plan_vm *vms);

/** Plan without a change to the fleet. The plan is never NULL; plan_free it. */
struct plan *fleet_plan(const struct fleet *f);

/** What the VMs have, by the planner's own measure. */
struct score fleet_score(const struct fleet *f);

/** What was planned is what they have. */
void fleet_apply(struct fleet *f, const struct plan *p);

/** fleet_plan, fleet_apply and no more. */
void fleet_step(struct fleet *f);

/** A random size as Proxmox hosts have them, 1 to 32 vCPUs. */
unsigned int fleet_random_size(uint64_t *state);

/** All CPUs of the cores that a result touches. */
struct cpuset fleet_cores_of(const struct host *h, const struct plan_result *r);

/** vCPUs of all VMs. */
unsigned int fleet_vcpus(const struct fleet *f);

struct judge {
	double wait;	/* mean over the draws */
	double bad;	/* share of draws with more than 5 % */
	double latency; /* shares of the worst latency, of accesses, of demand, of vCPUs
			 */
	double remote;
	double lost;
	double smt;
	double j;
};

/** Judge what the VMs have. @seed: of the @draws draws for each busy probability. */
struct judge fleet_judge(const struct fleet *f, uint64_t seed, unsigned int draws);

#endif
