// SPDX-License-Identifier: MIT
/*
 * How many clients wait at a socket, asked of the kernel by sock_diag.
 *
 * The kernel answers while it takes the question, and the rest of a long answer while
 * it is read: nothing here has to wait, and no answer means that it was lost. What
 * others may have sent to our socket, and what is left of an older answer, is told by
 * sender and sequence number.
 *
 * Source: kernel net/unix/diag.c, sock_diag(7).
 */
#include "config.h"

#include "qmp/backlog.h"

#include <errno.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/xalloc.h"

/* The kernel fills up to 32 KiB at a time, and less for a smaller buffer. */
#define REPLY_MAX 16384u
/* More is no list of the sockets of a host, which has some thousand. */
#define REPLIES_MAX 8192u

struct backlog {
	int fd;
	uint32_t seq;
};

struct question {
	struct nlmsghdr head;
	struct unix_diag_req req;
};

/* What the kernel says about a socket. Attributes that were not asked for, or are
 * missing, are NULL. */
struct answer {
	const struct unix_diag_msg *socket;
	const struct unix_diag_vfs *file;
	const struct unix_diag_rqlen *queue;
};

typedef void answer_handler(void *owner, const struct answer *a);

struct conversation {
	int fd;
	uint32_t seq;
	answer_handler *on_answer;
	void *owner;
};

/* What a message means for the conversation, besides a negative errno. */
enum { ENDED, GOES_ON };

static int
open_diag(void)
{
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	/* cppcheck-suppress resourceLeak ; the caller's */
	return fd < 0 ? -errno : fd;
}

int
backlog_open(struct backlog **out, struct err *e)
{
	struct backlog *b;
	int fd = open_diag();

	if (fd < 0)
		return err_set(e, fd, "sock_diag", 0, "%s", strerror(-fd));
	b = xcalloc(1, sizeof(*b));
	b->fd = fd;
	*out = b;
	return 0;
}

void
backlog_close(struct backlog *b)
{
	if (b == NULL)
		return;
	close(b->fd);
	free(b);
}

static const void *
body(const struct nlmsghdr *head)
{
	return (const char *)head + NLMSG_HDRLEN;
}

/* The payload of an attribute, NULL when it is shorter than @size. */
static const void *
payload(const struct nlattr *attr, size_t size)
{
	const char *bytes = (const char *)attr;

	return attr->nla_len >= sizeof(*attr) + size ? bytes + sizeof(*attr) : NULL;
}

static int
read_answer(const struct nlmsghdr *head, struct answer *out)
{
	const char *bytes = (const char *)head;
	struct answer a = {0};
	size_t at = NLMSG_SPACE(sizeof(*a.socket));

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*a.socket)))
		return -EBADMSG;
	a.socket = body(head);
	while (at + sizeof(struct nlattr) <= head->nlmsg_len) {
		const struct nlattr *attr = (const void *)(bytes + at);

		if (attr->nla_len < sizeof(*attr) ||
			attr->nla_len > head->nlmsg_len - at)
			return -EBADMSG;
		if ((attr->nla_type & NLA_TYPE_MASK) == UNIX_DIAG_VFS)
			a.file = payload(attr, sizeof(*a.file));
		if ((attr->nla_type & NLA_TYPE_MASK) == UNIX_DIAG_RQLEN)
			a.queue = payload(attr, sizeof(*a.queue));
		at += (size_t)NLA_ALIGN(attr->nla_len);
	}
	*out = a;
	return 0;
}

/* Of NLMSG_DONE and NLMSG_ERROR: 0 or a negative errno. */
static int
read_result(const struct nlmsghdr *head)
{
	int result;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(result)))
		return -EBADMSG;
	memcpy(&result, body(head), sizeof(result));
	return result <= 0 && result > -4096 ? result : -EBADMSG;
}

static int
take_message(const struct conversation *c, const struct nlmsghdr *head)
{
	struct answer a;
	int r;

	if (head->nlmsg_seq != c->seq)
		return GOES_ON;
	if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
		r = read_result(head);
		return r < 0 ? r : ENDED;
	}
	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return GOES_ON;
	r = read_answer(head, &a);
	if (r < 0)
		return r;
	c->on_answer(c->owner, &a);
	return (head->nlmsg_flags & NLM_F_MULTI) != 0 ? GOES_ON : ENDED;
}

static int
take_messages(const struct conversation *c, const char *bytes, size_t len)
{
	size_t at = 0;
	int r = GOES_ON;

	while (r == GOES_ON && at + sizeof(struct nlmsghdr) <= len) {
		const struct nlmsghdr *head = (const void *)(bytes + at);

		if (head->nlmsg_len < sizeof(*head) || head->nlmsg_len > len - at)
			return -EBADMSG;
		r = take_message(c, head);
		at += NLMSG_ALIGN(head->nlmsg_len);
	}
	return r;
}

static int
ask(int fd, struct question *q)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	q->head.nlmsg_len = sizeof(*q);
	q->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q->head.nlmsg_flags |= NLM_F_REQUEST;
	q->req.sdiag_family = AF_UNIX;
	if (sendto(fd, q, sizeof(*q), MSG_NOSIGNAL, (const struct sockaddr *)&kernel,
		    sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* Ask and hear all of the answer. */
static int
converse(const struct conversation *c, struct question *q)
{
	_Alignas(struct nlmsghdr) char reply[REPLY_MAX];
	int r;

	q->head.nlmsg_seq = c->seq;
	r = ask(c->fd, q);
	if (r < 0)
		return r;
	r = GOES_ON;
	for (unsigned int i = 0; r == GOES_ON && i < REPLIES_MAX; i++) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(c->fd, reply, sizeof(reply), 0,
			(struct sockaddr *)&from, &from_len);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return -errno; /* EAGAIN: lost, others have filled our buffer */
		if (n >= 0 && from.nl_pid == 0)
			r = take_messages(c, reply, (size_t)n);
	}
	return r == GOES_ON ? -E2BIG : r;
}

struct search {
	const struct stat *file;
	uint32_t inode; /* of the socket; 0: none yet */
};

/* The kernel tells its own form of the device, and half of a long inode number. */
static void
on_listener(void *owner, const struct answer *a)
{
	struct search *s = owner;

	if (a->socket->udiag_state != TCP_LISTEN || a->file == NULL)
		return;
	if (a->file->udiag_vfs_ino != (uint32_t)s->file->st_ino ||
		a->file->udiag_vfs_dev >> 20 != major(s->file->st_dev) ||
		(a->file->udiag_vfs_dev & 0xfffff) != minor(s->file->st_dev))
		return;
	s->inode = a->socket->udiag_ino;
}

static int
find_listener(const struct stat *file, struct search *s)
{
	struct question q = {
		.head.nlmsg_flags = NLM_F_DUMP,
		.req.udiag_states = 1u << TCP_LISTEN,
		.req.udiag_show = UDIAG_SHOW_VFS,
	};
	/* of its own: what is left of a list that was not read to the end would be in
	 * the way of the next question */
	auto_close int fd = open_diag();
	const struct conversation c = {fd, 1, on_listener, s};

	*s = (struct search){.file = file};
	return fd < 0 ? fd : converse(&c, &q);
}

int
backlog_find(struct backlog *b UNUSED, const char *path, uint32_t *inode, struct err *e)
{
	struct search s;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_set(e, -errno, path, 0, "%s", strerror(errno));
	r = find_listener(&st, &s);
	if (r < 0)
		return err_set(e, r, path, 0, "sock_diag: %s", strerror(-r));
	if (s.inode == 0)
		return err_set(e, -ENOENT, path, 0,
			"nobody listens in this network namespace");
	*inode = s.inode;
	return 0;
}

struct queue {
	uint32_t inode;
	int waiters;
};

static void
on_queue(void *owner, const struct answer *a)
{
	struct queue *q = owner;

	if (a->socket->udiag_ino == q->inode && a->socket->udiag_state == TCP_LISTEN &&
		a->queue != NULL)
		q->waiters = (int)(a->queue->udiag_rqueue & INT_MAX);
}

int
backlog_waiters(struct backlog *b, uint32_t inode)
{
	struct question q = {
		.req.udiag_ino = inode,
		.req.udiag_show = UDIAG_SHOW_RQLEN,
		.req.udiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE},
	};
	struct queue found = {.inode = inode, .waiters = -ENOENT};
	const struct conversation c = {b->fd, ++b->seq, on_queue, &found};
	int r = converse(&c, &q);

	return r < 0 ? r : found.waiters;
}
