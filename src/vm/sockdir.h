// SPDX-License-Identifier: MIT
/*
 * The monitor sockets in a directory: their names, and which file is which. Reads the
 * directory and keeps nothing.
 */
#ifndef QMPIN_VM_SOCKDIR_H
#define QMPIN_VM_SOCKDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* One file, told apart from a later one of the same name. The birth time is there
 * because file systems on disk reuse inode numbers at once; 0 where there is none. */
struct sockdir_key {
	uint64_t dev;
	uint64_t ino;
	uint64_t born_ns;
};

bool sockdir_same(const struct sockdir_key *a, const struct sockdir_key *b);

/** "103.qmp" -> 103; -1 for anything but ^[1-9][0-9]{2,8}\.qmp$. Pure. */
int sockdir_parse_name(const char *name);

/**
 * Look at VMID.qmp in @dir now; symbolic links are not followed.
 *
 * Returns 0, -ENOENT (nothing there, or no socket) or another errno; @out written only
 * on success.
 */
MUST_CHECK int sockdir_look(const char *dir, int vmid, struct sockdir_key *out);

/**
 * Call @on_socket for each monitor socket in @dir, in no order.
 *
 * Returns 0 or a negative errno; some sockets may have been told before an error.
 */
MUST_CHECK int sockdir_each(const char *dir,
	void (*on_socket)(void *owner, int vmid, const struct sockdir_key *key),
	void *owner);

#endif
