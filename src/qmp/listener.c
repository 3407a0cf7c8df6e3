// SPDX-License-Identifier: MIT
/* QEMU's listening socket found among its descriptors, and duplicated. */
#include "config.h"

#include "qmp/listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

bool
listener_has_waiter(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

void
listener_dismiss(int fd)
{
	int client;

	(void)shutdown(fd, SHUT_RDWR);
	while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(client);
}
