// SPDX-License-Identifier: MIT
/*
 * The listening socket of a QEMU, seen from outside. A duplicate of it becomes readable
 * when a client queues, which nothing else tells.
 *
 * The duplicate shares its description with QEMU: nobody here accepts from it (except a
 * proxy, see qmp/proxy.h), calls listen() on it or changes its flags. It keeps the
 * socket connectable after QEMU has died: whoever has one closes it first thing then.
 */
#ifndef QMPIN_QMP_LISTENER_H
#define QMPIN_QMP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* A process whose sockets are looked at. Borrowed. */
struct listener_process {
	int procfd; /* open directory of /proc */
	pid_t pid;
	int pidfd; /* of the same process */
};

/**
 * Duplicate the socket that listens at @path.
 *
 * It is the one among the process' descriptors that listens and whose name, resolved
 * as that process sees it, is the same file as @path: names alone prove nothing
 * (/var/run is /run; an old socket may still carry the name). A name that leads nowhere
 * there was bound before a chroot, and is resolved as seen from here.
 *
 * Which file a socket was bound to cannot be asked without CAP_NET_ADMIN. So this does
 * not tell that another process has bound the file anew: that @process is who listens
 * there is proven by the caller (SO_PEERCRED of a connection).
 *
 * @fd  written only on success: close-on-exec, owned
 *
 * Returns 0, -EPERM (this process may not look into that one), -ENOENT (none is that
 * socket), -ENOTUNIQ (several are), -E2BIG (too many descriptors to look at), -ESRCH
 * (it has ended) or another errno.
 */
MUST_CHECK int listener_duplicate(const struct listener_process *process,
	const char *path, int *fd, struct err *e);

/** A client is in the queue. False for a negative @fd, and for a socket that was
 * dismissed, though its description is then readable for ever (POLLIN with POLLHUP). */
bool listener_has_waiter(int fd);

/**
 * Who is being served: a connected socket of the process with the name of @listener.
 * A client that has left counts no longer, though QEMU may not have seen it leave.
 * Takes 2-3 us for each of the process' descriptors (up to the client's).
 *
 * @inode  written only on success: of QEMU's end, 0 when nobody is served. The same
 *         number later means the same client.
 *
 * Returns 0 or a negative errno as above.
 */
MUST_CHECK int listener_served(
	const struct listener_process *process, int listener, uint64_t *inode);

/**
 * The process behind @fd has died: nobody may wait for it any more. Clients in the
 * queue are hung up on (ECONNRESET for those that have sent something), later ones and
 * those that wait for a place in the queue are refused (ECONNREFUSED), whoever else
 * holds a duplicate. Does not close @fd.
 */
void listener_dismiss(int fd);

#endif
