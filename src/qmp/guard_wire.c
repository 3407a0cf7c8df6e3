// SPDX-License-Identifier: MIT
/* Packets with descriptors. A packet is taken whole or not at all. */
#include "config.h"

#include "qmp/guard_wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_SIZE (GUARD_WIRE_FDS_MAX * sizeof(int))
#define CUT (MSG_TRUNC | MSG_CTRUNC)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_SIZE)];
};

int
guard_wire_send(
	int pipe, const struct guard_wire_message *m, const int *fds, size_t n_fds)
{
	struct guard_wire_message copy = *m;
	struct iovec part = {&copy, sizeof(copy)};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	union control control = {.bytes = ""};
	struct cmsghdr *beside = &control.align;
	ssize_t n;

	assert(n_fds <= GUARD_WIRE_FDS_MAX);
	if (n_fds > 0) {
		beside->cmsg_level = SOL_SOCKET;
		beside->cmsg_type = SCM_RIGHTS;
		beside->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(beside), fds, n_fds * sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	do {
		n = sendmsg(pipe, &packet, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void
take_fds(struct msghdr *packet, int fds[GUARD_WIRE_FDS_MAX])
{
	const struct cmsghdr *beside = CMSG_FIRSTHDR(packet);
	size_t size;

	for (size_t i = 0; i < GUARD_WIRE_FDS_MAX; i++)
		fds[i] = -1;
	if (beside == NULL || beside->cmsg_level != SOL_SOCKET ||
		beside->cmsg_type != SCM_RIGHTS)
		return;
	size = beside->cmsg_len - CMSG_LEN(0);
	memcpy(fds, CMSG_DATA(beside), size < FDS_SIZE ? size : FDS_SIZE);
}

int
guard_wire_receive(int pipe, struct guard_wire_message *m, int fds[GUARD_WIRE_FDS_MAX])
{
	struct guard_wire_message taken;
	struct iovec part = {&taken, sizeof(taken)};
	union control control;
	struct msghdr packet = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int taken_fds[GUARD_WIRE_FDS_MAX];
	ssize_t n;

	n = recvmsg(pipe, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0; /* reset: closed with something unread */
	if (n < 0)
		return -errno;
	take_fds(&packet, taken_fds);
	if (n == (ssize_t)sizeof(taken) && (packet.msg_flags & CUT) == 0) {
		*m = taken;
		memcpy(fds, taken_fds, sizeof(taken_fds));
		return 1;
	}
	for (size_t i = 0; i < GUARD_WIRE_FDS_MAX; i++) {
		if (taken_fds[i] >= 0)
			close(taken_fds[i]);
	}
	return (packet.msg_flags & MSG_CTRUNC) != 0 ? -EMFILE : -EBADMSG;
}
