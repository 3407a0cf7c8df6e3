// SPDX-License-Identifier: MIT
/*
 * What is told to people: one line a decision, each trouble once.
 */
#ifndef QMPIN_DAEMON_REPORT_H
#define QMPIN_DAEMON_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "daemon/cause.h"
#include "topo/cpuset.h"
#include "vm/threads.h"

struct engine;
struct vm;

/* A mask that was (or, in a dry run, would be) set. */
struct move {
	struct vm_thread thread;
	struct cpuset from;
	struct cpuset to;
};

/** Log the moves of one VM: threads with the same masks in one line. Sorts @moves.
 *
 * @priority  LOG_INFO, or what is of less interest
 * @pretence  why they were only thought of ("dry run", "observe"), NULL: they were made
 */
void report_moves(const struct vm *vm, struct move *moves, size_t n, int priority,
	enum cause cause, const char *pretence);

/** The moves in one line, for those who ask later: "from CPUs 0-63 to 8-11: why". New
 * text. */
char *report_summary(
	const struct vm *vm, const struct move *moves, size_t n, const char *pretence);

/** What report_moves has logged of all these moves, which it has sorted, in one line
 * without the VM: "vCPUs 0-3 0-63 -> 8-11; emulator 0-63 -> 8-15 (resume; why)". vCPUs
 * are told together, with all their CPUs, and so are the other threads. New text. */
char *report_line(const struct vm *vm, const struct move *moves, size_t n,
	enum cause cause, const char *pretence);

/** An array of them as in io.qmpin. New reference. */
json_t *report_moves_json(
	const struct vm *vm, const struct move *moves, size_t n, enum cause cause);

/** As in io.qmpin. New reference. */
json_t *report_move_json(
	const char *id, const struct move *move, enum cause cause, const char *reason);

/** Log a VM's trouble once, until another one or report_better(); keep it as its note.
 */
void report_trouble(struct vm *vm, const struct err *why);
void report_troublef(struct vm *vm, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** The trouble is over: forget it, say so when one was said. */
void report_better(struct vm *vm);

/** A line about a VM with the field that finds it. */
void report_vm(const struct vm *vm, int priority, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
