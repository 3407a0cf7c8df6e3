// SPDX-License-Identifier: MIT
/*
 * Ending a session is a race with its owner's connect(). shutdown() does not win it: on
 * a socket that is not connected it succeeds, a later connect() succeeds too, and the
 * other side sees a client that neither speaks nor leaves.
 */
#include "config.h"

#include "qmp/ending.h"

#include <sys/socket.h>
#include <sys/un.h>

static bool
is_connected(int fd)
{
	struct sockaddr_un address;
	socklen_t len = sizeof(address);

	return getpeername(fd, (struct sockaddr *)&address, &len) == 0;
}

/* A listening socket cannot be connected any more, and only one that is not connected
 * can be made to listen: whoever comes first has won. The name that it needs for that
 * is made up by the kernel. */
static bool
seal(int fd)
{
	const struct sockaddr_un nameless = {.sun_family = AF_UNIX};

	(void)bind(fd, (const struct sockaddr *)&nameless, sizeof(sa_family_t));
	return listen(fd, 0) == 0;
}

bool
ending_end(int fd)
{
	bool is_final = is_connected(fd) || seal(fd) || is_connected(fd);

	(void)shutdown(fd, SHUT_RDWR);
	return is_final;
}
