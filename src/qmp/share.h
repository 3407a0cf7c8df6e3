// SPDX-License-Identifier: MIT
/*
 * The ways of sharing a VM's monitor, and which one a VM gets. Pure.
 *
 * A monitor socket of QEMU serves one client at a time, and other tools use the same
 * socket. What each way means for them is in docs/monitor-sharing.md.
 */
#ifndef QMPIN_QMP_SHARE_H
#define QMPIN_QMP_SHARE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* The words of the configuration and of io.qmpin's Share. */
enum share {
	SHARE_AUTO,    /* only as a wish: private, else yield, else brief */
	SHARE_PRIVATE, /* a monitor of our own, added to QEMU (11.1 and later) */
	SHARE_YIELD,   /* hold the shared one, leave as soon as somebody waits */
	SHARE_BRIEF,   /* connect, ask, leave */
	SHARE_PROXY,   /* hold the shared one and serve the others through it */
	SHARE_NONE,    /* only as a state: nothing is known yet */
};

const char *share_name(enum share s);

/* What is possible with a VM. A reason says why not; NULL or "": it is possible. */
struct share_means {
	const char *no_private; /* QEMU is too old, does not dial in, ... */
	const char *no_hold;	/* its queue cannot be watched, or no guard runs */
	bool no_proxy;		/* the queue can be watched but not accepted from */
};

/**
 * The way that is used, for a wish and what is possible. What was wished for and cannot
 * be becomes the nearest that holds the shared socket less, and @why gets the reason.
 * With SHARE_AUTO, @why gets a reason only for SHARE_BRIEF.
 */
enum share share_choose(
	enum share wish, const struct share_means *means, struct err *why);

#endif
