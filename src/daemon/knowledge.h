// SPDX-License-Identifier: MIT
/*
 * What is known of this host's latencies: in memory, and in STATE_DIR for the next
 * start. CPUs that are offline are kept. A directory that cannot be written costs the
 * file and one warning.
 */
#ifndef QMPIN_DAEMON_KNOWLEDGE_H
#define QMPIN_DAEMON_KNOWLEDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "daemon/hostmodel.h"
#include "probe/cache.h"

/* A result replaces the file at most so often. */
#define KNOWLEDGE_SAVE_MS 60000u

struct clock;

struct knowledge {
	const struct clock *clock;
	char *dir;
	struct cache cache; /* matrix NULL: nothing is known */
	bool dirty;	    /* the file has less */
	uint64_t saved_us;  /* the last attempt; 0: none */
	char trouble[512];  /* why it is not kept; "": it is */
};

void knowledge_init(struct knowledge *k, const struct clock *clock, const char *dir);
void knowledge_fini(struct knowledge *k);

/** Forget all, and read what is kept for this host. Returns 0, -ENOENT (nothing is) or
 * another errno with @e: what is there is not to be used. */
MUST_CHECK int knowledge_load(
	struct knowledge *k, const struct hostmodel *h, struct err *e);

/** What it says is about @h: the same host. */
bool knowledge_fits(const struct knowledge *k, const struct hostmodel *h);

/** Every pair of the host's online CPUs has a value. */
bool knowledge_covers(const struct knowledge *k, const struct hostmodel *h);

/**
 * The measurement that comes of adding @result: its pairs win where they have a value.
 *
 * @whole  inferred values too; else they do not take the place of visited ones, as
 *         when somebody has a short look
 *
 * New object, free with matrix_free.
 */
struct matrix *knowledge_with(
	const struct knowledge *k, const struct cache *result, bool whole);

/** Know @m (taken over) from now on; @result is where its new values come from. With
 * @afresh it is new whatever it says; else, when it says the same, it is as old as it
 * was. */
void knowledge_take(
	struct knowledge *k, struct matrix *m, const struct cache *result, bool afresh);

/** What is known of the online CPUs, as a text for qmpin-probe; NULL: nothing. free()
 * it. */
char *knowledge_text(const struct knowledge *k, const struct hostmodel *h, size_t *len);

/** Write the file if it has less: @now, or when the last time is long ago. */
void knowledge_save(struct knowledge *k, bool now);

#endif
