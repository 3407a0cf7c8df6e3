// SPDX-License-Identifier: MIT
/* Commands that ask the daemon for something about some VMs, or all of them. */
#ifndef QMPIN_CLI_VMCALL_H
#define QMPIN_CLI_VMCALL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"

/** VMs are named, or --all is given, and not both; else says so. */
MUST_CHECK bool vmcall_is_clear(const struct args *args, const char *verb);

/**
 * Call io.qmpin.@method with the VMs that are named.
 *
 * @reply  new reference; written only with CMD_OK
 *
 * Returns CMD_OK, or what else to exit with: it has been said why.
 */
MUST_CHECK enum cmd_exit vmcall_run(
	const struct args *args, const char *method, json_t **reply);

/** Tell the VMs in "failed", a line each on stderr: "@what: VM 103: why". Returns what
 * to exit with; @any_done: something was done for others. */
MUST_CHECK enum cmd_exit vmcall_failed(
	const json_t *reply, const char *what, bool any_done);

/** Moves as lines "vm 103: vCPU 0 0-63 -> 8-11 (why)", those of threads that share
 * masks in one. */
void vmcall_print_moves(const json_t *moves);

#endif
