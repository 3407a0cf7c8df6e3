// SPDX-License-Identifier: MIT
/*
 * A file system in user space like that of a Proxmox cluster, which can stop to answer.
 * It is mounted in a namespace of this process's own.
 */
#ifndef QMPIN_TESTS_PVEFUSE_H
#define QMPIN_TESTS_PVEFUSE_H

#include <stdbool.h>
#include <sys/types.h>

struct pvefuse {
	pid_t server;
	int orders; /* pipe to it */
	int receipts;
};

/** Mount it on @path, with .version, .vmlist, qmpin.conf ("[qmpin]\n") and the
 * configuration of VM 100 ("cores: 2\n"). Returns false where that is not permitted. */
bool pvefuse_start(struct pvefuse *f, const char *path);

/** From now on requests are taken and not answered: who waits cannot even be killed. */
void pvefuse_hang(const struct pvefuse *f);

/** All that waits is answered, and all that comes. */
void pvefuse_recover(const struct pvefuse *f);

/** Requests that wait for an answer. */
unsigned int pvefuse_waiting(const struct pvefuse *f);

/** End it, as when its process dies; what waits fails. */
void pvefuse_stop(struct pvefuse *f);

#endif
