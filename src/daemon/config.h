// SPDX-License-Identifier: MIT
/*
 * The daemon's settings: files are read in the order of precedence and a bad one
 * changes nothing. The keys, their defaults and ranges are in option_table.c, the
 * syntax is inifile.h's.
 */
#ifndef QMPIN_DAEMON_CONFIG_H
#define QMPIN_DAEMON_CONFIG_H

/* For the files of this folder "config.h" is this header: hand on autoconf's. */
#include <config.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/mode.h"
#include "topo/cpuset.h"
#include "vm/identity.h"

enum config_adopt { CONFIG_ADOPT_GRADUAL, CONFIG_ADOPT_NOW };
enum config_select { CONFIG_SELECT_ALL, CONFIG_SELECT_TAGGED };

/* Group names of shadow-utils have at most 32 characters. */
#define CONFIG_GROUP_MAX 33u

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

/* [qmpin]. Times carry their unit; documented in option_table.c. */
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
	char control_group[CONFIG_GROUP_MAX];
	int log_level; /* syslog priority */
	size_t n_vms;
	size_t cap_vms;
	struct config_vm *vms; /* ascending id */
	/* Unknown keys and what else is worth a line; owned. */
	size_t n_warnings;
	size_t cap_warnings;
	char **warnings;
};

/* [vm ID] sections over all files; above any host's number of VMs. */
#define CONFIG_VMS_MAX 10000u
/* Warnings that are kept; the last one then says that there were more. */
#define CONFIG_WARNINGS_MAX 100u

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
 * Returns 0 or -EINVAL with @e = file, line, reason: what inifile_parse refuses
 * (over-long line, missing ']', duplicate key in one file ...), unknown section, bad
 * value, too many VMs. Unknown keys are warnings. On failure @c may hold part of the
 * file and is to be thrown away.
 */
MUST_CHECK int config_parse(struct config *c, const char *text, size_t len,
	const char *name, enum config_origin origin, struct err *e);

/**
 * Read the configuration: @file alone, or (NULL) /etc/qmpin/qmpin.conf and then
 * /etc/qmpin/conf.d/<name>.conf in byte order of their names (hidden files are left
 * out), each prefixed with @root (NULL or ""). Missing default files are no error, a
 * missing
 * @file is. What is not a regular file is refused; a FIFO does not block.
 *
 * @out  written only on success; config_fini it
 *
 * Returns 0, -EINVAL (as config_parse) or another errno.
 */
MUST_CHECK int config_load(
	const char *root, const char *file, struct config *out, struct err *e);

/** The [vm ID] section, or NULL. */
const struct config_vm *config_vm_find(const struct config *c, const char *id);

/** Mode of a VM and where it comes from; @origin may be NULL. */
enum place_mode config_mode(
	const struct config *c, const char *id, enum config_origin *origin);
enum place_smt config_smt(const struct config *c, const char *id);
enum place_emulator config_emulator(const struct config *c, const char *id);

/** Name of an origin as in io.qmpin: "default", "config", "vm_section", ... */
const char *config_origin_name(enum config_origin origin);

#endif
