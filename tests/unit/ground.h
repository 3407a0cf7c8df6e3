// SPDX-License-Identifier: MIT
/*
 * Replays on made-up hosts for tests: short ways to make events, to take a step that
 * must not fail, and to compare all that can be seen of two replays.
 */
#ifndef QMPIN_TESTS_GROUND_H
#define QMPIN_TESTS_GROUND_H

#include "hosts.h"
#include "place/replay.h"

/* The host of a replay. */
struct ground {
	const struct host_spec *spec;
	bool broken;	   /* the next host cannot be made */
	bool no_memory[8]; /* of the node */
	struct topo *topo; /* the last one, the replay's */
	unsigned int made;
};

/** A replay_host_fn; its owner is a struct ground. */
int ground_make(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e);

/** @s: NULL for the defaults. Never NULL. */
struct replay *ground_replay(struct ground *g, const struct replay_settings *s);

struct replay_event ground_event(enum replay_kind kind, const char *id);
/** A VM of 8 GiB with all its vCPUs plugged. */
struct replay_event ground_start(const char *id, unsigned int n_vcpus);
struct replay_event ground_cpu(enum replay_kind kind, unsigned int cpu);
struct replay_event ground_plug(const char *id, unsigned int n_vcpus);
/** Borrows its arrays. */
struct replay_event ground_host(struct replay_amount *free_gib, unsigned int n_free,
	struct replay_amount *background, unsigned int n_background);

/** A step that does not fail. */
void ground_step(struct replay *r, struct replay_event event);

struct cpuset ground_cpus(const char *list);
const struct plan_vm *ground_vm(const struct replay *r, unsigned int vm);
const char *ground_why(const struct replay *r, unsigned int vm);

/** All that one can see, as text; free() it. */
char *ground_picture(const struct replay *r);
void ground_same(const struct replay *a, const struct replay *b);

#endif
