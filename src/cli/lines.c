// SPDX-License-Identifier: MIT
/*
 * One buffer, which holds the longest line and what was read behind a shorter one.
 * Whoever waits for a pipe can be told to stop.
 */
#include "config.h"

#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

struct lines
lines_new(int fd, int stop_fd, size_t cap)
{
	return (struct lines){
		.fd = fd, .stop_fd = stop_fd, .cap = cap, .buf = xcalloc(cap + 1, 1)};
}

void
lines_fini(struct lines *l)
{
	free(l->buf);
	*l = (struct lines){.fd = -1};
}

/* For more to read if @more, else only for stop_fd, and not at all: poll() leaves out
 * what is negative, and calls a file always readable. */
static int
wait_for(const struct lines *l, bool more)
{
	struct pollfd fds[] = {
		{.fd = more ? l->fd : -1, .events = POLLIN},
		{.fd = l->stop_fd, .events = POLLIN},
	};

	while (poll(fds, 2, more ? -1 : 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return fds[1].revents != 0 ? -EINTR : 0;
}

/* Behind what is there. */
static int
read_more(struct lines *l)
{
	int r = wait_for(l, true);
	ssize_t n;

	if (r < 0)
		return r;
	n = read(l->fd, l->buf + l->len, l->cap + 1 - l->len);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	l->ended = n == 0;
	l->len += (size_t)n;
	return 0;
}

static int
fill(struct lines *l)
{
	memmove(l->buf, l->buf + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	while (!l->ended && memchr(l->buf, '\n', l->len) == NULL) {
		int r = l->len > l->cap ? -E2BIG : read_more(l);

		if (r < 0)
			return r;
	}
	return 0;
}

int
lines_next(struct lines *l, const char **text, size_t *len)
{
	const char *end = memchr(l->buf + l->at, '\n', l->len - l->at);
	int r = wait_for(l, false);

	if (r == 0 && end == NULL)
		r = fill(l);
	if (r < 0)
		return r;
	*text = l->buf + l->at;
	end = memchr(*text, '\n', l->len - l->at);
	*len = end != NULL ? (size_t)(end - *text) : l->len - l->at;
	l->at += *len + (end != NULL);
	return end != NULL || *len > 0;
}
