// SPDX-License-Identifier: MIT
/*
 * The methods Plan (what would be done now) and Apply (do it now) of io.qmpin. Who asks
 * for a VM by hand ends what has kept qmpind from it: its turn on a host that already
 * ran VMs, giving way to somebody else, having been restored. Masks of its own that
 * somebody gave its vCPUs are overridden only for VMs that are named, and only these do
 * not wait for a configuration that is not known.
 */
#ifndef QMPIN_DAEMON_APPLYING_H
#define QMPIN_DAEMON_APPLYING_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/cause.h"
#include "daemon/pending.h"

struct ctl_call;
struct engine;
struct move;
struct vm;

/* QEMU answers within 5 s (the deadline of a session), and whoever is served before us
 * may take as long. */
#define APPLYING_MS 10000u

/** No call waits. */
struct pending_list applying_none(void);

/** Calls of the methods; @owner is the engine. */
void applying_on_plan(void *owner, struct ctl_call *call, const json_t *params);
void applying_on_apply(void *owner, struct ctl_call *call, const json_t *params);

/** Nothing keeps a VM from being placed any more; @named: nor do masks of its own, nor
 * a configuration that is not known. */
void applying_clear_way(struct engine *e, struct vm *vm, bool named);

/** These masks of a VM were set. */
void applying_moved(struct engine *e, const struct vm *vm, const struct move *moves,
	size_t n, enum cause cause);

/** A pass has run: calls that waited for it are answered. */
void applying_passed(struct engine *e);

/** @vm is about to be forgotten. */
void applying_lost(struct engine *e, const struct vm *vm);

#endif
