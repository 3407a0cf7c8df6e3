// SPDX-License-Identifier: MIT
/* recvmsg() and sendmsg(); other control messages than SCM_RIGHTS are ignored. */
#include "config.h"

#include "qmp/fdpass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Aligned for the header of a control message. */
union control {
	char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
	struct cmsghdr header;
};

static void
take_fds(struct msghdr *msg, int *fds, size_t *n_fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
		c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (n > FDPASS_MAX - *n_fds)
			n = FDPASS_MAX - *n_fds;
		memcpy(fds + *n_fds, CMSG_DATA(c), n * sizeof(int));
		*n_fds += n;
	}
}

ssize_t
fdpass_recv(int fd, char *bytes, size_t size, int *fds, size_t *n_fds)
{
	union control control;
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	*n_fds = 0;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&msg, fds, n_fds);
	if ((msg.msg_flags & MSG_CTRUNC) == 0)
		return n;
	while (*n_fds > 0)
		close(fds[--*n_fds]);
	return -EMSGSIZE;
}

ssize_t
fdpass_send(int fd, struct frame_span bytes, int pass)
{
	union control control = {.bytes = {0}};
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)bytes.bytes, .iov_len = bytes.len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (pass >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass, sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
