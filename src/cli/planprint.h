// SPDX-License-Identifier: MIT
/* Plans and their host for people. */
#ifndef QMPIN_CLI_PLANPRINT_H
#define QMPIN_CLI_PLANPRINT_H

#include <jansson.h>
#include <stdbool.h>

#include "place/replay.h"

/** What there is after the last event: the host with who sits where, then a table of
 * the VMs. */
void planprint_result(const struct replay *r, const struct topo *whole, bool heading);

/** Each VM's reasons. */
void planprint_reasons(const struct replay *r);

/** A host as the planner sees it, without VMs: groups and tiers. */
void planprint_host(const struct topo *t, const struct ranking *r,
	const struct plan_policy *policy);

/** The same as JSON; new reference. */
json_t *planprint_host_json(const struct topo *t, const struct ranking *r,
	const struct plan_policy *policy);

#endif
