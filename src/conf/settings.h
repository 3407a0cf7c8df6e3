// SPDX-License-Identifier: MIT
/*
 * The settings of qmpind and of plans made without it: files are read in the order of
 * precedence and a bad one changes nothing. The keys, their defaults and ranges are in
 * option_table.c, the syntax is inifile.h's.
 */
#ifndef QMPIN_CONF_SETTINGS_H
#define QMPIN_CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/mode.h"
#include "place/policy.h"
#include "qmp/share.h"
#include "topo/cpuset.h"

enum settings_adopt { SETTINGS_ADOPT_GRADUAL, SETTINGS_ADOPT_NOW };
enum settings_select { SETTINGS_SELECT_ALL, SETTINGS_SELECT_TAGGED };
/* What a VM may say about itself. */
enum settings_description {
	SETTINGS_DESCRIPTION_OPT, /* on, off and observe */
	SETTINGS_DESCRIPTION_FULL,
	SETTINGS_DESCRIPTION_IGNORE,
};
enum settings_answer { SETTINGS_YES, SETTINGS_NO };
enum settings_rebalance { SETTINGS_REBALANCE_YES, SETTINGS_REBALANCE_NO };
enum settings_memory {
	SETTINGS_MEMORY_FOLLOW,	 /* vCPUs go to their memory */
	SETTINGS_MEMORY_MIGRATE, /* and memory that is left behind comes after them */
	SETTINGS_MEMORY_IGNORE,	 /* where it is counts for nothing */
};
enum settings_probe { SETTINGS_PROBE_YES, SETTINGS_PROBE_NO };

/* Names of groups have at most 32 characters (shadow-utils), ids of VMs 64
 * (vm/identity.h). */
#define SETTINGS_GROUP_MAX 33u
#define SETTINGS_ID_MAX 65u

/* Where a value came from, from weakest to strongest (io.qmpin's Origin). */
enum settings_origin {
	SETTINGS_ORIGIN_DEFAULT,
	SETTINGS_ORIGIN_CLUSTER,
	SETTINGS_ORIGIN_CONFIG,
	SETTINGS_ORIGIN_TAG,
	SETTINGS_ORIGIN_DESCRIPTION,
	SETTINGS_ORIGIN_VM_SECTION,
	SETTINGS_ORIGIN_RUNTIME,
};

/* Keys that there may be, of all sections and of [vm ID]. */
#define SETTINGS_KEYS_MAX 64u
#define SETTINGS_VM_KEYS_MAX 8u

/* Where a value was set. */
struct settings_place {
	unsigned int file; /* its index in files and one; 0: nowhere, the default */
	unsigned int line; /* 0: not from a line of text */
};

/* [vm ID]; what is not set there has `has_...` false. */
struct settings_vm {
	char id[SETTINGS_ID_MAX];
	bool has_mode;
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
	bool has_share;
	enum share share;
	bool has_memory;
	enum settings_memory memory;
	/* in the order of the keys of the table that a VM may have */
	struct settings_place places[SETTINGS_VM_KEYS_MAX];
};

/* [qmpin] and [weights]. Times carry their unit; documented in option_table.c. */
struct settings {
	enum place_mode mode;
	enum settings_origin mode_origin;
	enum settings_select select;
	enum settings_origin select_origin;
	enum settings_description description;
	enum settings_answer allow_dedicated;
	enum settings_answer unregistered_tags;
	enum settings_adopt adopt;
	enum place_smt smt;
	enum place_emulator emulator;
	enum share share;
	enum settings_memory memory;
	unsigned int memory_migrate_mib_per_s;
	enum settings_rebalance rebalance;
	unsigned int rebalance_gain_pct;
	unsigned int rebalance_dwell_s;
	unsigned int rebalance_moves_per_min;
	unsigned int rebalance_vcpus_per_min;
	struct cpuset reserved_cpus;
	struct cpuset isolated_cpus;
	unsigned int dedicated_max_pct;
	unsigned int widen_wait_pct; /* of its vCPUs' runnable time; 0: never */
	double weights[N_TERMS];
	unsigned int settle_ms;
	unsigned int audit_interval_ms;
	unsigned int guard_ms;
	enum settings_probe probe;
	unsigned int probe_burst_s;
	unsigned int probe_cpus_pct;
	char control_group[SETTINGS_GROUP_MAX];
	int log_level; /* syslog priority */
	size_t n_vms;
	size_t cap_vms;
	struct settings_vm *vms; /* ascending id */
	/* Unknown keys and what else is worth a line; owned. */
	size_t n_warnings;
	size_t cap_warnings;
	char **warnings;
	struct settings_place places[SETTINGS_KEYS_MAX]; /* in the table's order */
	/* Names of the files that were read; owned. */
	size_t n_files;
	size_t cap_files;
	char **files;
};

/* [vm ID] sections of all files: above any host's number of VMs. */
#define SETTINGS_VMS_MAX 10000u
/* Warnings that are kept; the last one then says that there were more. */
#define SETTINGS_WARNINGS_MAX 100u

/** All defaults. */
void settings_init(struct settings *c);
void settings_fini(struct settings *c);

/**
 * Add the settings of one file to @c.
 *
 * @text    @len bytes; need not be terminated
 * @name    for messages
 * @origin  SETTINGS_ORIGIN_CLUSTER or SETTINGS_ORIGIN_CONFIG
 *
 * Returns 0 or -EINVAL with @e = file, line, reason: what inifile_parse refuses
 * (over-long line, missing ']', duplicate key in one file ...), unknown section, bad
 * value, too many VMs. Unknown keys are warnings. On failure @c may hold part of the
 * file and is to be thrown away.
 */
MUST_CHECK int settings_parse(struct settings *c, const char *text, size_t len,
	const char *name, enum settings_origin origin, struct err *e);

/**
 * Set one key of [qmpin], or "weights.NAME" of [weights], as a file called @name would.
 *
 * Returns 0 or -EINVAL with @e; a key that is unknown or has no effect is refused.
 */
MUST_CHECK int settings_set(struct settings *c, const char *key, const char *value,
	const char *name, struct err *e);

/**
 * Read the configuration: @file alone, or (NULL) /etc/qmpin/qmpin.conf and then
 * /etc/qmpin/conf.d/<name>.conf in byte order of their names (hidden files are left
 * out), each prefixed with @root (NULL or ""). A @file that is a directory stands for
 * /etc/qmpin. Missing default files are no error, a missing @file is. What else is not
 * a regular file is refused; a FIFO does not block.
 *
 * @out  written only on success; settings_fini it
 *
 * Returns 0, -EINVAL (as settings_parse) or another errno.
 */
MUST_CHECK int settings_load(
	const char *root, const char *file, struct settings *out, struct err *e);

/** It may be the id of a VM: 1 to 64 of A-Z a-z 0-9 . _ - */
bool settings_id_valid(const char *id);

/** The [vm ID] section, or NULL. */
const struct settings_vm *settings_vm_find(const struct settings *c, const char *id);

/** Mode of a VM, and where it comes from (@origin may be NULL). */
enum place_mode settings_mode(
	const struct settings *c, const char *id, enum settings_origin *origin);
/** The file that says so, and the line; NULL: none does. */
const char *settings_mode_file(
	const struct settings *c, const char *id, unsigned int *line);
enum place_smt settings_smt(const struct settings *c, const char *id);
enum place_emulator settings_emulator(const struct settings *c, const char *id);
enum share settings_share(const struct settings *c, const char *id);
enum settings_memory settings_memory(const struct settings *c, const char *id);
/** Some VM could be one whose memory is to be moved. */
bool settings_may_migrate(const struct settings *c);

/** What the planner goes by; without credit for rebalance (allowance.h). */
struct plan_policy settings_policy(const struct settings *c);

/** Name of an origin as in io.qmpin: "default", "config", "vm_section", ... */
const char *settings_origin_name(enum settings_origin origin);

#endif
