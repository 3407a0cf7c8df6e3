// SPDX-License-Identifier: MIT
/*
 * Which files of /etc/pve are wanted, and what was told of each: of texts only hashes.
 * Pure.
 */
#ifndef QMPIN_DAEMON_PVEKNOWN_H
#define QMPIN_DAEMON_PVEKNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pve/pvefeed.h"

struct pveknown_file {
	unsigned int subject; /* see pvefeed.h; first, for pve/subjects.h */
	bool told;	      /* the child knows that it is wanted */
	bool awaited;	      /* nothing is known of it, and may be in time */
	bool unread;	      /* it is there, and could not be read */
	enum { PVEKNOWN_NOTHING, PVEKNOWN_TEXT, PVEKNOWN_NONE } what;
	uint64_t hash; /* of the text */
};

/* Zero-initialise, then pveknown_init; pveknown_fini it. Pointers to files are valid
 * until a VM is added or removed. */
struct pveknown {
	struct pveknown_file cluster[PVEFEED_FILES];
	struct pveknown_file *vms; /* ascending VMID */
	size_t n_vms, cap_vms;
	size_t n_awaited;
};

void pveknown_init(struct pveknown *k);
void pveknown_fini(struct pveknown *k);

/** NULL: it is not wanted. */
struct pveknown_file *pveknown_find(struct pveknown *k, unsigned int subject);

/** NULL: it was wanted already. */
struct pveknown_file *pveknown_add(struct pveknown *k, unsigned int vmid);

/** @file is a VM's. */
void pveknown_remove(struct pveknown *k, struct pveknown_file *file);

void pveknown_await(struct pveknown *k, struct pveknown_file *file);
void pveknown_stop_awaiting(struct pveknown *k, struct pveknown_file *file);

/** No VM is awaited any more, or with @told none of those the child knows of. */
void pveknown_settle(struct pveknown *k, bool told);

/** The next child knows nothing. */
void pveknown_forget_child(struct pveknown *k);

/** A text has come, or (NULL) there is none. Returns whether that is news. */
bool pveknown_take(
	struct pveknown *k, struct pveknown_file *file, const char *text, size_t len);

#endif
