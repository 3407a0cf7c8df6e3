// SPDX-License-Identifier: MIT
/*
 * Pictures of a latency matrix, CPUs in the order of their tiers so that domains are
 * squares along the diagonal: SVG for a browser, coloured blocks for a terminal. Pure.
 */
#ifndef QMPIN_CTL_HEATMAP_H
#define QMPIN_CTL_HEATMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "ctl/latency.h"

/* A VM to be shown at the CPUs its vCPUs may use. Borrowed. */
struct heatmap_vm {
	const char *id;
	const char *name; /* NULL: none; hostile text, escaped here */
	struct cpuset cpus;
};

struct heatmap {
	const struct ctl_latency *latency;
	const char *title;	      /* hostile text, escaped here */
	const struct heatmap_vm *vms; /* NULL: none */
	size_t n_vms;
	bool utf8; /* heatmap_text: names may be shown in UTF-8, not only in ASCII */
};

/** A whole SVG document; new string, free() it. */
char *heatmap_svg(const struct heatmap *h);

/**
 * For a terminal; new string, free() it. Neighbouring CPUs are averaged until it fits.
 *
 * @columns  width of the terminal, at least 20
 * @colours  0: shades of characters, 256 or 1 << 24: ANSI colours
 */
char *heatmap_text(const struct heatmap *h, unsigned int columns, unsigned int colours);

#endif
