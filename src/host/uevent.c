// SPDX-License-Identifier: MIT
/*
 * Kernel events. Only the kernel can multicast them, and only the administrator could
 * send us one; an event is a hint anyway: whoever hears of one looks at the files.
 *
 * Source: kernel lib/kobject_uevent.c.
 */
#include "config.h"

#include "host/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xalloc.h"

/* The kernel's own group; the second one is udev's. */
#define KERNEL_GROUP 1u

/* The keys have 2048 bytes, the line before them an action and a path in /sys. What is
 * cut off at the end would be keys. */
#define DATAGRAM_MAX 4096u

/* A socket buffer of the usual size holds some hundred. */
#define DATAGRAMS_MAX 4096u

/* Aligned for the header of a control message. */
union control {
	char bytes[CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr header;
};

static const char *const actions[] = {"online", "offline", "add", "remove"};
static const char *const places[] = {
	"/devices/system/cpu/cpu", "/devices/system/node/node"};

int
uevent_open(struct err *e)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	const int on = 1;
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(e, -errno, "kernel events", 0, "%s", strerror(errno));
	return take_fd(&fd);
}

static bool
sent_by_root(struct msghdr *msg)
{
	struct ucred sender;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
		c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
		return sender.uid == 0;
	}
	return false;
}

/* Returns the datagram's length, 0 when it is not the kernel's, or a negative errno. */
static ssize_t
receive(int fd, char *bytes, size_t size)
{
	struct sockaddr_nl from = {0};
	union control control;
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_family != AF_NETLINK ||
		from.nl_pid != 0 || !sent_by_root(&msg))
		return 0;
	return n;
}

bool
uevent_drain(int fd)
{
	char bytes[DATAGRAM_MAX];
	bool concerned = false;

	for (unsigned int i = 0; i < DATAGRAMS_MAX; i++) {
		ssize_t n = receive(fd, bytes, sizeof(bytes));

		if (n == -EAGAIN)
			break;
		if (n < 0 && n != -EINTR) /* ENOBUFS: any of them may be lost */
			concerned = true;
		else if (n > 0)
			concerned |= uevent_concerns_cpus(bytes, (size_t)n);
	}
	return concerned;
}

/* Takes @word off the front of the text. */
static bool
skip(const char **text, size_t *len, const char *word)
{
	size_t n = strlen(word);

	if (*len < n || memcmp(*text, word, n) != 0)
		return false;
	*text += n;
	*len -= n;
	return true;
}

static bool
is_number(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return len > 0;
}

static bool
is_place(const char *path, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (skip(&path, &len, places[i]))
			return is_number(path, len);
	}
	return false;
}

bool
uevent_concerns_cpus(const char *bytes, size_t len)
{
	const char *at = bytes;
	size_t left = strnlen(bytes, len);

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (skip(&at, &left, actions[i]))
			return skip(&at, &left, "@") && is_place(at, left);
	}
	return false;
}
