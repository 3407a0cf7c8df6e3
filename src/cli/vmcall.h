// SPDX-License-Identifier: MIT
/* Commands that ask the daemon for something about some VMs, or all of them. */
#ifndef QMPIN_CLI_VMCALL_H
#define QMPIN_CLI_VMCALL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"

struct vmcall {
	const char *verb;   /* of the command line: "apply" */
	const char *method; /* of io.qmpin */
	const char *done;   /* member of the reply with what was done, an array */
	const char *undone; /* "not applied", of those in its member "failed" */

	/* As text; @any_failed: some of them were not done. */
	void (*print)(const struct args *args, const json_t *done, bool any_failed);

	/* Where no daemon is there; NULL: it is said so. */
	enum cmd_exit (*offline)(const struct args *args);
};

/**
 * Call the method with the VMs that are named, or with all of them; print what was
 * done, and tell the VMs in "failed", a line each on stderr: "not applied: VM 103:
 * why".
 */
MUST_CHECK enum cmd_exit vmcall_run(const struct args *args, const struct vmcall *call);

/**
 * Where no daemon runs: become `qmpind @option IDS`, which does it by itself. @how is
 * told on stderr. Returns only when that cannot be.
 */
MUST_CHECK enum cmd_exit vmcall_offline(
	const struct args *args, const char *option, const char *how);

/** Moves as lines "vm 103: vCPU 0 0-63 -> 8-11 (why)", those of threads that share
 * masks in one. */
void vmcall_print_moves(const json_t *moves);

#endif
