// SPDX-License-Identifier: MIT
/*
 * The last decisions about all VMs, as text that is ready to be sent. Each has a number
 * that it keeps, so that whoever reads on from some number sees what is missing. Pure.
 */
#ifndef QMPIN_DAEMON_FEED_H
#define QMPIN_DAEMON_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "vm/identity.h"

/* So many are kept, as long as their texts are together no longer than that: a decision
 * about a VM of 8 vCPUs is 2 KB. The last one is always kept. */
#define FEED_MAX 512u
#define FEED_BYTES_MAX (1u << 20)

struct feed_item {
	char id[VM_ID_MAX];
	char *text; /* owned */
	size_t len;
};

/* Zeroed it is empty. */
struct feed {
	uint64_t first; /* number of the oldest that is kept */
	uint64_t next;	/* number of the one to come */
	size_t bytes;	/* of all texts */
	struct feed_item items[FEED_MAX];
};

/** Keep one more about VM @id; the oldest make room. @text is taken. */
void feed_add(struct feed *f, const char *id, char *text);

/** That one, first <= @number < next. */
const struct feed_item *feed_at(const struct feed *f, uint64_t number);

/** Where to begin in order to be told the last @n that are kept of a VM (NULL: of all
 * of them). */
uint64_t feed_find(const struct feed *f, const char *id, uint64_t n);

void feed_fini(struct feed *f);

#endif
