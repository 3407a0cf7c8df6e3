// SPDX-License-Identifier: MIT
/*
 * The measurement as a text: what qmpin-probe hands over, and what is kept in
 * STATE_DIR/latency-FINGERPRINT. Lines that begin with '#' carry what is not a latency;
 * the others are CSV, so that anything that skips comments can read it. The format is
 * described in docs/latency.md. Pure.
 */
#ifndef QMPIN_PROBE_CACHE_H
#define QMPIN_PROBE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"
#include "topo/model.h"

#define CACHE_VERSION 1u
/* 2048 CPUs with all their pairs; longer texts are refused unread. */
#define CACHE_BYTES_MAX (48u * 1024u * 1024u)
#define CACHE_FINGERPRINT_MAX 17u /* 16 hexadecimal digits */
#define CACHE_HOST_MAX 160u

struct cache {
	char fingerprint[CACHE_FINGERPRINT_MAX]; /* of the host, see host/hostid.h */
	char host[CACHE_HOST_MAX];		 /* the same for people: one line */
	uint64_t measured_s;			 /* seconds since the epoch */
	struct matrix *matrix;			 /* owned */
	/* Where each row's CPU was: groups by their lowest CPU, node and package by
	 * their ids, -1 for none. */
	struct cache_place {
		int core;
		int l2;
		int l3;
		int node;
		int package;
	} * places; /* matrix->n, owned */
};

/** Free what @c holds; it is empty afterwards. */
void cache_fini(struct cache *c);

/** Fill c->places from the model for the CPUs of c->matrix. */
void cache_set_places(struct cache *c, const struct topo *t);

/** The text, new, with its NUL; free() it. */
char *cache_format(const struct cache *c, size_t *len);

/**
 * Read a text.
 *
 * @name  of the file, for messages
 * @out   written only on success; cache_fini it
 *
 * Returns 0 or -EINVAL (not such a text, another version, cut short, changed after it
 * was written) with @e.
 */
MUST_CHECK int cache_parse(const char *text, size_t len, const char *name,
	struct cache *out, struct err *e);

/**
 * Does it describe this host: the same fingerprint, and CPUs that share the same
 * groups? CPUs that are on one side only do not count.
 *
 * Returns 0 or -ESTALE with @e.
 */
MUST_CHECK int cache_check(const struct cache *c, const char *fingerprint,
	const struct topo *t, const char *name, struct err *e);

/** "latency-FINGERPRINT". Returns @buf. */
char *cache_file_name(const char *fingerprint, char *buf, size_t size);

#endif
