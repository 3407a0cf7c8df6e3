// SPDX-License-Identifier: MIT
/*
 * The daemon's settings: one table of keys drives parser, defaults, checks and the
 * sample file; files are read in the order of precedence and a bad one changes nothing.
 */
#ifndef QMPIN_DAEMON_CONFIG_H
#define QMPIN_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/mode.h"
#include "topo/cpuset.h"
#include "vm/identity.h"

enum config_adopt { CONFIG_ADOPT_GRADUAL, CONFIG_ADOPT_NOW };
enum config_select { CONFIG_SELECT_ALL, CONFIG_SELECT_TAGGED };

/* Where a value came from, from weakest to strongest (io.qmpin's Origin). */
enum config_origin {
	CONFIG_ORIGIN_DEFAULT,
	CONFIG_ORIGIN_CLUSTER,
	CONFIG_ORIGIN_CONFIG,
	CONFIG_ORIGIN_TAG,
	CONFIG_ORIGIN_DESCRIPTION,
	CONFIG_ORIGIN_VM_SECTION,
	CONFIG_ORIGIN_RUNTIME,
};

/* [vm ID]; what is not set there has `has_...` false. */
struct config_vm {
	char id[VM_ID_MAX];
	bool has_mode;
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
};

/* [qmpin]. Times carry their unit; documented in the option table (config_options). */
struct config {
	enum place_mode mode;
	enum config_origin mode_origin;
	enum config_select select;
	enum config_adopt adopt;
	enum place_smt smt;
	enum place_emulator emulator;
	unsigned int rebalance_moves_per_min;
	struct cpuset reserved_cpus;
	unsigned int settle_ms;
	unsigned int audit_interval_ms;
	char control_group[64];
	int log_level; /* syslog priority */
	size_t n_vms;
	size_t cap_vms;
	struct config_vm *vms; /* ascending id */
	/* Unknown keys and what else is worth a line; owned. */
	size_t n_warnings;
	size_t cap_warnings;
	char **warnings;
};

enum config_type { CONFIG_UINT, CONFIG_BOOL, CONFIG_ENUM, CONFIG_CPULIST, CONFIG_TEXT };

/* One key of [qmpin]. */
struct config_option {
	const char *key;
	enum config_type type;
	const char *fallback;	  /* the default, as it would be written in the file */
	const char *const *words; /* CONFIG_ENUM: allowed words, NULL-terminated */
	unsigned long min;	  /* CONFIG_UINT */
	unsigned long max;
	const char *unit; /* "ms", "%", NULL */
	bool reloadable;
	bool per_vm;	  /* also allowed in [vm ID] */
	const char *text; /* one line for people */
	size_t offset;	  /* of the member in struct config */
};

/** The table, in the order of the sample file; *n its length. */
const struct config_option *config_options(size_t *n);

/** All defaults. */
void config_init(struct config *c);
void config_fini(struct config *c);

/**
 * Add the settings of one file to @c.
 *
 * @text    @len bytes; need not be terminated
 * @name    for messages
 * @origin  CONFIG_ORIGIN_CLUSTER or CONFIG_ORIGIN_CONFIG
 *
 * Returns 0 or -EINVAL with @e = file, line, reason: over-long line, missing ']',
 * unknown section, bad value, duplicate key. Unknown keys are warnings. On failure @c
 * may hold part of the file and is to be thrown away.
 */
MUST_CHECK int config_parse(struct config *c, const char *text, size_t len,
	const char *name, enum config_origin origin, struct err *e);

/**
 * Read the configuration: @file alone, or (NULL) /etc/qmpin/qmpin.conf and
 * /etc/qmpin/conf.d by name, each prefixed with @root (NULL or ""). Missing default
 * files are no error, a missing @file is.
 *
 * @out  written only on success; config_fini it
 *
 * Returns 0, -EINVAL (as config_parse) or another errno.
 */
MUST_CHECK int config_load(
	const char *root, const char *file, struct config *out, struct err *e);

/** The [vm ID] section, or NULL. */
const struct config_vm *config_vm_find(const struct config *c, const char *id);

/** Mode of a VM and where it comes from. */
enum place_mode config_mode(
	const struct config *c, const char *id, enum config_origin *origin);
enum place_smt config_smt(const struct config *c, const char *id);
enum place_emulator config_emulator(const struct config *c, const char *id);

/** Name of an origin as in io.qmpin: "default", "config", "vm_section", ... */
const char *config_origin_name(enum config_origin origin);

/** The sample file: every option with its text and default. */
void config_write_sample(FILE *out);

#endif
