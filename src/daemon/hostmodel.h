// SPDX-License-Identifier: MIT
/*
 * The host as decisions need it: topology, latencies and tiers, loaded together and
 * replaced together. Latencies and tiers are by what CPUs share, until a measurement
 * that deserves trust is taken in.
 */
#ifndef QMPIN_DAEMON_HOSTMODEL_H
#define QMPIN_DAEMON_HOSTMODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "host/hostid.h"
#include "topo/matrix.h"
#include "topo/model.h"
#include "topo/ranking.h"

struct hostmodel {
	struct topo *topo;
	float *latency_ns; /* n_pus x n_pus; placement goes by it */
	struct ranking *ranking;
	struct hostid id;      /* fingerprint "": unknown, nothing can be kept for it */
	bool own;	       /* it is this machine */
	struct matrix *matrix; /* measured, of online CPUs; NULL: nothing is */
	const char *why;       /* placement does not go by matrix: the reason; static */
};

/* What a matrix means for a host. */
struct hostmodel_verdict {
	struct matrix *matrix;
	float *latency_ns;
	struct ranking *ranking;
	const char *why;
	double trust; /* 0: none, else the confidence of the least certain tier */
};

/**
 * Load from @path as host_load does (NULL: this machine).
 *
 * @out  written only on success; hostmodel_fini it
 */
MUST_CHECK int hostmodel_load(const char *path, struct hostmodel *out, struct err *e);

void hostmodel_fini(struct hostmodel *h);

/** Where this machine is @fingerprint by what somebody else has just read, look once
 * more who it is: a file that could not be read was left out. */
void hostmodel_identify(struct hostmodel *h, const char *fingerprint);

struct lat_view hostmodel_latency(const struct hostmodel *h);

/** Judge a measurement; @m may have other CPUs than those online. @out is to be handed
 * to hostmodel_accept or hostmodel_verdict_fini. */
void hostmodel_judge(const struct hostmodel *h, const struct matrix *m,
	struct hostmodel_verdict *out);
void hostmodel_verdict_fini(struct hostmodel_verdict *v);

/** How far placement goes by what is measured: as trust of a verdict. */
double hostmodel_trust(const struct hostmodel *h);

/** Take in a verdict, in place of an earlier one; @v is empty afterwards. Returns true
 * when placement has other domains than before. */
bool hostmodel_accept(struct hostmodel *h, struct hostmodel_verdict *v);

/** Measured pairs. */
unsigned int hostmodel_pairs(const struct hostmodel *h);

/** "core 8 ns, l3 26 ns, host 130 ns". Returns @buf. */
char *hostmodel_tiers_text(const struct hostmodel *h, char *buf, size_t size);

/** What measuring says against the firmware's groups, "" nothing: "l3 is denied (90 ns
 * inside, 30 ns beyond)". Returns @buf. */
char *hostmodel_dispute_text(const struct hostmodel *h, char *buf, size_t size);

#endif
