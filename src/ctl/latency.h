// SPDX-License-Identifier: MIT
/*
 * What GetLatency tells: a matrix and its tiers, as the daemon sends it, as the command
 * line reads it, and as pictures are drawn of it. Pure.
 */
#ifndef QMPIN_CTL_LATENCY_H
#define QMPIN_CTL_LATENCY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"
#include "topo/ranking.h"

#define CTL_LATENCY_TIERS_MAX 16u
#define CTL_LATENCY_TEXT_MAX 200u

/* Domains partition the matrix's CPUs, in the order of their lowest one. */
struct ctl_tier {
	double latency_ns;
	double confidence;
	unsigned int n_domains;
	struct cpuset *domains; /* owned */
};

struct ctl_latency {
	bool trusted; /* placement goes by it */
	/* "class model", "measured", "measured, not trusted: REASON", or a file's name
	 */
	char source[CTL_LATENCY_TEXT_MAX];
	char fingerprint[17]; /* "" unknown */
	uint64_t measured_us; /* since the epoch; 0: never */
	unsigned int n_tiers; /* from near to far */
	struct ctl_tier tiers[CTL_LATENCY_TIERS_MAX];
	struct matrix *matrix; /* owned; confidence does not travel */
};

void ctl_latency_fini(struct ctl_latency *l);

/** Fill tiers, trusted and matrix. @matrix is copied; tiers beyond the cap are joined
 * into the last one. */
void ctl_latency_set(
	struct ctl_latency *l, const struct ranking *r, const struct matrix *m);

/** The reply of GetLatency: all rows, all columns, a tenth of a nanosecond, 0 for "no
 * result". New reference. */
json_t *ctl_latency_json(const struct ctl_latency *l);

/** Read such a reply; nothing about it is taken on trust. Returns 0 or -EPROTO with
 * @e; @out is written only on success. */
MUST_CHECK int ctl_latency_parse(
	const json_t *reply, struct ctl_latency *out, struct err *e);

#endif
