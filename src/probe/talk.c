// SPDX-License-Identifier: MIT
/*
 * A thread watches for the parent's end, so that the process ends at once, whatever the
 * others are doing: nothing here has to be put back.
 */
#include "config.h"

#include "probe/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TALK_READ_BYTES (64u << 10)
#define TALK_STACK (64u << 10)

/* A pipe's end is ours alone; the open file behind a terminal or a redirection is our
 * shell's too, and it expects it to block. */
static void
unblock(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && fstat(fd, &st) == 0 &&
		(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
talk_init(struct talk *t, int in, int out)
{
	*t = (struct talk){.in = in, .out = out};
	wire_init(&t->wire);
	unblock(out);
}

void
talk_fini(struct talk *t)
{
	wire_fini(&t->wire);
	strbuf_fini(&t->queue);
}

static void *
watch(void *arg)
{
	const struct talk *t = arg;
	/* no events: only the other end's closing is of interest */
	struct pollfd p = {.fd = t->in};

	while (poll(&p, 1, -1) <= 0)
		continue;
	_exit(0);
}

int
talk_end_with_parent(struct talk *t)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int r;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, TALK_STACK);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&thread, &attr, watch, t);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return r;
}

int
talk_read(struct talk *t)
{
	char bytes[TALK_READ_BYTES];
	ssize_t n;

	do {
		n = read(t->in, bytes, sizeof(bytes));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	return wire_feed(&t->wire, bytes, (size_t)n);
}

void
talk_say(struct talk *t, const struct wire_message *m)
{
	wire_put(&t->queue, m);
}

void
talk_sayf(struct talk *t, enum wire_kind kind, const char *fmt, ...)
{
	struct wire_message m = {.kind = kind};
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m.text = text;
	m.len = strnlen(text, sizeof(text));
	talk_say(t, &m);
}

bool
talk_is_idle(const struct talk *t)
{
	return t->sent == t->queue.len;
}

int
talk_write(struct talk *t)
{
	while (!talk_is_idle(t)) {
		ssize_t n = write(t->out, t->queue.s + t->sent, t->queue.len - t->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		t->sent += (size_t)n;
	}
	strbuf_fini(&t->queue);
	t->sent = 0;
	return 0;
}

int
talk_flush(struct talk *t)
{
	struct pollfd p = {.fd = t->out, .events = POLLOUT};
	int r = talk_write(t);

	while (r == 0 && !talk_is_idle(t)) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
		r = talk_write(t);
	}
	return r;
}
