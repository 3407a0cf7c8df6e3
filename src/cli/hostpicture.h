// SPDX-License-Identifier: MIT
/*
 * A picture of a host in characters: its nodes and L3 groups, how loaded they are, and
 * who sits there. Groups that are alike share a line; or, with each core drawn, every
 * group has its own, and memory is told. Pure.
 */
#ifndef QMPIN_CLI_HOSTPICTURE_H
#define QMPIN_CLI_HOSTPICTURE_H

#include <stdbool.h>

#include "base/attr.h"
#include "topo/model.h"

/* A VM: the masks of its vCPUs. Borrowed. */
struct hostpicture_vm {
	const char *id;
	unsigned int n_vcpus;
	const struct cpuset *vcpus;
};

struct hostpicture {
	const struct topo *topo;
	struct cpuset reserved; /* no VM is placed there */
	struct cpuset offline;
	unsigned int n_vms;
	const struct hostpicture_vm *vms;
	unsigned int columns; /* of the screen; at least 60 are used */
	bool cores;  /* draw each one; VMs that have a part of a group: which */
	bool blocks; /* block characters in place of # */
	bool colours;
};

/** New string, free() it; lines end with a newline, none is wider than the screen. */
MUST_CHECK char *hostpicture_text(const struct hostpicture *p);

#endif
