// SPDX-License-Identifier: MIT
/* The settings of `qmpin plan`: qmpind's, from --config and --set. */
#ifndef QMPIN_CLI_PLANCONFIG_H
#define QMPIN_CLI_PLANCONFIG_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/args.h"
#include "conf/settings.h"
#include "place/replay.h"

/**
 * Read them. Without --config: the defaults for another host (--topology or --latency),
 * else what qmpind reads on this one. Warnings are told here.
 *
 * @out  settings_fini it; written only on success
 *
 * Returns 0 or a negative errno with @e.
 */
MUST_CHECK int planconfig_load(
	const struct args *args, struct settings *out, struct err *e);

/** The same for replay. */
struct replay_settings planconfig_replay(
	const struct settings *s, enum plan_explain_of explain);

/** What [vm ID] says and the event does not. */
void planconfig_complete(const struct settings *s, struct replay_event *ev);

#endif
