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
#include "topo/model.h"
#include "topo/ranking.h"

#define CTL_LATENCY_TIERS_MAX 16u
#define CTL_LATENCY_TEXT_MAX 200u
/* A value above it is no latency of a host. */
#define CTL_LATENCY_NS_MAX 1e9

/* Domains partition the matrix's CPUs, in the order of their lowest one; each lies
 * within one domain of the next tier. */
struct ctl_tier {
	double latency_ns;
	double confidence; /* 0..1 */
	unsigned int n_domains;
	struct cpuset *domains; /* owned */
};

/* With at least one tier, the last one being all CPUs, and a matrix that has at least
 * one CPU: ctl_latency_set and ctl_latency_parse see to it. */
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

/** Free what @l holds; it is empty afterwards. */
void ctl_latency_fini(struct ctl_latency *l);

/** Set tiers, trusted and matrix, in place of what was there. @m is copied for the CPUs
 * of @r: others are left out, unknown ones have no results; NULL: none at all. Tiers
 * beyond the cap are joined into the last one. */
void ctl_latency_set(
	struct ctl_latency *l, const struct ranking *r, const struct matrix *m);

/** Set the class model of a host that has not been measured: its own tree, and the
 * values of lat_classes_default; source is "class model". */
void ctl_latency_set_model(struct ctl_latency *l, const struct topo *t);

/** The reply of GetLatency: all rows, all columns, a tenth of a nanosecond, 0 for "no
 * result". New reference. */
json_t *ctl_latency_json(const struct ctl_latency *l);

/** The same as JSON text, for those who must not be held up: for 1024 CPUs in a tenth
 * of the time and a sixth of the memory. New string, free() it. */
MUST_CHECK char *ctl_latency_text(const struct ctl_latency *l);

/**
 * Read such a reply; nothing about it is taken on trust. Values have one visit and full
 * confidence; without rows the matrix has no results.
 *
 * @out  ctl_latency_fini it; written only on success
 *
 * Returns 0 or -EPROTO with @e.
 */
MUST_CHECK int ctl_latency_parse(
	const json_t *reply, struct ctl_latency *out, struct err *e);

#endif
