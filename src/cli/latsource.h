// SPDX-License-Identifier: MIT
/* Where `qmpin latency` and `qmpin heatmap` take latencies from. */
#ifndef QMPIN_CLI_LATSOURCE_H
#define QMPIN_CLI_LATSOURCE_H

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"
#include "ctl/latency.h"
#include "topo/matrix.h"
#include "topo/model.h"
#include "topo/ranking.h"

/* Latencies with what is known here about their host. */
struct latsource {
	struct ctl_latency latency;
	struct topo *topo;	 /* the host; NULL: nobody knows it here */
	const char *topo_path;	 /* where it is from; NULL: this machine. Borrowed */
	struct ranking *ranking; /* of topo and the matrix; NULL without topo */
};

/**
 * Get latencies: from the files named by --latency and --topology where given (with a
 * topology alone: the class model), else from the daemon. Errors are told here.
 *
 * @out  latsource_close it; written only with CMD_OK
 */
MUST_CHECK enum cmd_exit latsource_open(const struct args *args, struct latsource *out);

/**
 * Measured values of a host as such latencies.
 *
 * @t       taken over
 * @m       borrowed for the call
 * @source  of the values: "measured" or a file's name; why they are not trusted is
 *          added
 * @out     latsource_close it
 */
void latsource_rank(struct topo *t, const struct matrix *m, const char *source,
	struct latsource *out);

/** Not to be trusted after all (of latsource_rank): the host's own tree makes the
 * tiers, the values stay. */
void latsource_distrust(struct latsource *s, const char *why);

/** Free what @s holds; it is empty afterwards. */
void latsource_close(struct latsource *s);

/**
 * latsource_open for those who need no more than the latencies and the host.
 *
 * @out   ctl_latency_fini it; written only with CMD_OK
 * @topo  the host, NULL where only the daemon knows it; topo_free it; may be NULL
 */
MUST_CHECK enum cmd_exit latsource_get(
	const struct args *args, struct ctl_latency *out, struct topo **topo);

#endif
