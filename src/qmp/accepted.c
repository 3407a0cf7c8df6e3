// SPDX-License-Identifier: MIT
/*
 * A socket in the queue of a listener belongs to no file yet, so it has no inode: that
 * of our peer is 0 until it is accepted.
 *
 * Source: kernel net/unix/diag.c and include/uapi/linux/unix_diag.h.
 */
#include "config.h"

#include "qmp/accepted.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

struct question {
	struct nlmsghdr head;
	struct unix_diag_req what;
};

union answer {
	struct nlmsghdr head;
	char bytes[512];
};

static int
ask(int diag, uint32_t inode)
{
	const struct question q = {
		.head = {.nlmsg_len = sizeof(q),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST},
		.what = {.sdiag_family = AF_UNIX,
			.udiag_states = UINT32_MAX,
			.udiag_ino = inode,
			.udiag_show = UDIAG_SHOW_PEER,
			.udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};

	return send(diag, &q, sizeof(q), MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The inode of the peer. */
static int
find_peer(const struct unix_diag_msg *msg, size_t len)
{
	struct rtattr attr;
	size_t at = NLMSG_ALIGN(sizeof(*msg));
	uint32_t inode;

	while (at + sizeof(attr) <= len) {
		memcpy(&attr, (const char *)msg + at, sizeof(attr));
		if (attr.rta_type == UNIX_DIAG_PEER &&
			attr.rta_len >= RTA_LENGTH(sizeof(inode)) &&
			at + attr.rta_len <= len) {
			memcpy(&inode, (const char *)msg + at + RTA_LENGTH(0),
				sizeof(inode));
			return inode != 0 ? 1 : 0;
		}
		if (attr.rta_len < sizeof(attr))
			break;
		at += RTA_ALIGN(attr.rta_len);
	}
	return -ENOTCONN;
}

/* Answers are there when the question has been sent; never one of an older question,
 * since each takes its own. */
static int
take_answer(int diag)
{
	const struct nlmsgerr *error;
	union answer a;
	ssize_t n = recv(diag, &a, sizeof(a), MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(a.head) || a.head.nlmsg_len > (size_t)n)
		return -EBADMSG;
	error = NLMSG_DATA(&a.head);
	if (a.head.nlmsg_type == NLMSG_ERROR &&
		a.head.nlmsg_len >= NLMSG_LENGTH(sizeof(*error)))
		return error->error < 0 ? error->error : -EBADMSG;
	if (a.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		a.head.nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -EBADMSG;
	return find_peer(NLMSG_DATA(&a.head), a.head.nlmsg_len - NLMSG_LENGTH(0));
}

int
accepted_ask(int diag, int socket)
{
	struct stat st;
	int r;

	if (fstat(socket, &st) < 0)
		return -errno;
	r = ask(diag, (uint32_t)st.st_ino);
	return r < 0 ? r : take_answer(diag);
}

/* One question whose answer is known tells whether it works here. */
static int
try(int diag)
{
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = accepted_ask(diag, pair[0]);
	close(pair[0]);
	close(pair[1]);
	if (r < 0)
		return r;
	return r == 1 ? 0 : -EOPNOTSUPP;
}

int
accepted_open(void)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	auto_close int diag =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int r;

	/* connected, nobody but the kernel can send to it */
	if (diag < 0 ||
		connect(diag, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	r = try(diag);
	return r < 0 ? r : take_fd(&diag);
}
