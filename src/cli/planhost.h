// SPDX-License-Identifier: MIT
/* The host of `qmpin plan`, and what is left of it without some CPUs. */
#ifndef QMPIN_CLI_PLANHOST_H
#define QMPIN_CLI_PLANHOST_H

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"
#include "cli/latsource.h"
#include "place/replay.h"

struct planhost {
	struct latsource source; /* of files; empty for this machine */
	struct topo *topo;	 /* all its CPUs; owned where source has none */
	bool own;
	const struct matrix *measured; /* in source; NULL: nothing is */
};

/**
 * Get the host: of --topology and --latency (with latencies alone: their CPUs, of which
 * nothing else is known), else this machine. Errors are told here.
 *
 * @out  planhost_close it; written only with CMD_OK
 */
MUST_CHECK enum cmd_exit planhost_open(const struct args *args, struct planhost *out);
void planhost_close(struct planhost *h);

/** For replay_new; @owner is the struct planhost. As in qmpind, latencies that deserve
 * no trust are left out. */
int planhost_without(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e);

#endif
