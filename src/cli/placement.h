// SPDX-License-Identifier: MIT
/*
 * Placement files: what all VMs have after an event, as one line of JSON. docs/plan.md
 * has the format. Pure.
 */
#ifndef QMPIN_CLI_PLACEMENT_H
#define QMPIN_CLI_PLACEMENT_H

#include "base/str.h"
#include "place/replay.h"

/** Add the line for what there is now, with its end of line. */
void placement_write(const struct replay *r, struct strbuf *out);

#endif
