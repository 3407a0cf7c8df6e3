// SPDX-License-Identifier: MIT
/*
 * What is told to people about latencies: each thing once, until it changes.
 */
#ifndef QMPIN_DAEMON_PROBELOG_H
#define QMPIN_DAEMON_PROBELOG_H

#include <stdbool.h>

#include "base/err.h"
#include "daemon/hostmodel.h"

/* What was said last. Zero-initialise. */
struct probelog {
	bool trusted;	   /* that placement goes by what is measured */
	const char *why;   /* that it does not, and why; NULL: nothing */
	char dispute[256]; /* with the firmware */
	char note[256];	   /* of qmpin-probe */
	char trouble[512]; /* of qmpin-probe; "": it works */
};

/** "measured 96 of 2016 pairs in 3.0 s", of what is in force in @h; @took_s below 0: it
 * is known from earlier. Returns @buf. */
const char *probelog_how(
	const struct hostmodel *h, double took_s, char *buf, size_t size);

/**
 * Another measurement is in force in @h.
 *
 * @took_s  as probelog_how's
 * @other  domains are others than before
 * @final  it gets no better: that it is not trusted is worth a line
 */
void probelog_taken(struct probelog *l, const struct hostmodel *h, double took_s,
	bool other, bool final);

/** qmpin-probe has failed; it is tried again in @again_ms. */
void probelog_failed(
	struct probelog *l, const struct err *why, unsigned long long again_ms);
/** Something that qmpin-probe wants to be known. */
void probelog_note(struct probelog *l, const char *text);

void probelog_works(struct probelog *l);

/** What is kept cannot be used. */
void probelog_refused(const struct err *why, bool measures);

#endif
