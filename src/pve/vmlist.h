// SPDX-License-Identifier: MIT
/*
 * Two files that a Proxmox cluster's file system makes up: .version, which tells when
 * something has changed, and .vmlist, which says on which node a VM is and counts the
 * changes of its configuration. Pure.
 *
 * Source: pve-cluster, where .version's "vmlist" changes with each write to a VM's
 * configuration, and its "starttime" when the counters begin anew.
 */
#ifndef QMPIN_PVE_VMLIST_H
#define QMPIN_PVE_VMLIST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define VMLIST_BYTES_MAX (4u << 20)
#define VMLIST_NODE_MAX 64u /* a host's name */

/* What .version says about .vmlist. */
struct vmlist_stamp {
	uint64_t start;
	uint64_t count;
};

/** Returns 0 or -EBADMSG; @out is written only on success. */
MUST_CHECK int vmlist_stamp_parse(
	const char *text, size_t len, struct vmlist_stamp *out);

struct vmlist {
	json_t *root; /* owned */
	json_t *ids;
};

/** Returns 0 or -EBADMSG; @out is written only on success, vmlist_fini it. */
MUST_CHECK int vmlist_parse(const char *text, size_t len, struct vmlist *out);

/* Where a VM is. */
struct vmlist_place {
	char node[VMLIST_NODE_MAX];
	uint64_t version; /* of its configuration */
};

/** Returns 0, -ENOENT (there is no such VM) or -EBADMSG; @out is written only on
 * success, and its node can be part of a path. */
MUST_CHECK int vmlist_find(
	const struct vmlist *l, unsigned int vmid, struct vmlist_place *out);

void vmlist_fini(struct vmlist *l);

#endif
