// SPDX-License-Identifier: MIT
/*
 * The types of io.qmpin.varlink as plain structs and their JSON. The daemon fills them,
 * nobody else knows the member names. Pure.
 */
#ifndef QMPIN_CTL_SHAPES_H
#define QMPIN_CTL_SHAPES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Strings borrowed; NULL is the interface's null where it allows one. Sets are
 * cpulists. */
struct ctl_thread {
	pid_t tid;
	const char *class;
	int index; /* -1: null */
	const char *comm;
	const char *want;
	const char *have;
	int last; /* -1: null */
};

/* How often masks were put right, by what the change looked like. */
struct ctl_drift {
	const char *kind;
	unsigned int repairs;
};

struct ctl_vm {
	const char *id;
	int vmid; /* -1: null */
	const char *name;
	pid_t pid;
	const char *state;
	const char *mode;
	const char *mode_origin;
	const char *share;
	unsigned int vcpus;
	unsigned int vcpus_max;
	const char *cpus;
	const char *nodes;
	const char *domain;
	const char *limit;
	double memory_local_pct; /* negative: null */
	double wait_pct;	 /* negative: null */
	unsigned int repairs;
	const struct ctl_drift *drifts;
	size_t n_drifts;
	uint64_t last_move_us; /* 0: null */
	const char *last_cause;
	const char *note;
	const char *refused;
	const struct ctl_thread *threads; /* NULL: null */
	size_t n_threads;
};

/* So many turns of the loop took at most so long. */
struct ctl_turns {
	double up_to_ms; /* negative: null */
	uint64_t count;
};

struct ctl_status {
	const char *version;
	pid_t pid;
	uint64_t uptime_ms;
	unsigned int vms;
	unsigned int managed;
	unsigned int threads;
	bool dry_run;
	const char *latency; /* model, measuring, measured, untrusted */
	double last_pass_ms;
	uint64_t passes;
	uint64_t repairs;
	double longest_turn_ms;	       /* negative: null */
	const struct ctl_turns *turns; /* NULL: null */
	size_t n_turns;
	double background_cpus; /* negative: unknown */
	const char *const *warnings;
	size_t n_warnings;
};

/* A reply of Probe. */
struct ctl_probe {
	bool done;	      /* the last one */
	uint64_t pairs;	      /* measured */
	uint64_t pairs_total; /* that there are: many are never visited, but inferred */
	uint64_t visits;      /* made; the end may be told from these */
	uint64_t visits_total; /* as far as can be told now; 0: it cannot */
	const char *text;      /* what is being done, or what came of it */
};

/* What one place costs. */
struct ctl_term {
	const char *name;
	double ns;
	const char *text;
};

struct ctl_candidate {
	const char *cpus;
	const char *nodes;
	double total_ns;
	const struct ctl_term *terms;
	size_t n_terms;
	const char *verdict; /* of the chosen one: why it is */
};

struct ctl_decision {
	uint64_t time_us;
	const char *id; /* NULL: null */
	const char *cause;
	const char *text;
};

struct ctl_move {
	const char *id;
	const char *class; /* of the thread */
	int index;	   /* -1: null */
	pid_t tid;
	const char *from;
	const char *to;
	const char *cause;
	const char *reason;
};

/* The reply of Explain. */
struct ctl_explain {
	const struct ctl_candidate *chosen;
	const struct ctl_candidate *runner_up; /* NULL: null */
	const char *const *rules;
	size_t n_rules;
	const char *const *better_if;
	size_t n_better_if;
	const struct ctl_decision *history; /* the oldest first */
	size_t n_history;
};

/* A value of the configuration. */
struct ctl_setting {
	const char *key;
	const char *value;
	const char *origin; /* "default" or "FILE:LINE" */
	const char *text;
};

struct checks;

/** New references. */
json_t *ctl_checks_json(const struct checks *checks);
json_t *ctl_setting_json(const struct ctl_setting *setting);
json_t *ctl_decision_json(
	const struct ctl_decision *decision, json_t *moves); /* steals @moves */
json_t *ctl_move_json(const struct ctl_move *move);
json_t *ctl_explain_json(const struct ctl_explain *explain);
json_t *ctl_probe_json(const struct ctl_probe *probe);
json_t *ctl_vm_json(const struct ctl_vm *vm);
json_t *ctl_status_json(const struct ctl_status *status);

/** Text of any bytes (thread names, files' names): NULL is null, what is not UTF-8 is
 * escaped, since JSON is UTF-8. New reference. */
json_t *ctl_text_json(const char *text);

/** The interface description that is served, io.qmpin.varlink itself; static. */
const char *ctl_interface_text(void);

#endif
