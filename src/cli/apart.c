// SPDX-License-Identifier: MIT
/* A child at the other end of a pipe, which nobody has to wait for. */
#include "config.h"

#include "cli/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* It may outlive us: whoever reads our output must not wait for it. */
static _Noreturn void
become_reader(const char *root, apart_reader *reader, int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i <= STDERR_FILENO; i++) {
		if (null < 0 || dup2(null, i) < 0)
			(void)close(i);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	reader(root, fd);
	_exit(0);
}

int
apart_start(struct apart *a, const char *root, apart_reader *reader, int deadline_ms)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		(void)close(fds[0]);
		become_reader(root, reader, fds[1]);
	}
	(void)close(fds[1]);
	if (child < 0) {
		(void)close(fds[0]);
		return -EAGAIN;
	}
	*a = (struct apart){.child = child,
		.fd = fds[0],
		.deadline_us =
			clock_now_us(clock_system()) + (uint64_t)deadline_ms * 1000};
	return 0;
}

ssize_t
apart_read(struct apart *a, void *buf, size_t size)
{
	uint64_t now_us = clock_now_us(clock_system());
	struct pollfd p = {.fd = a->fd, .events = POLLIN};

	while (now_us < a->deadline_us) {
		int left_ms = (int)((a->deadline_us - now_us + 999) / 1000);
		ssize_t n = poll(&p, 1, left_ms);

		if (n > 0)
			n = read(a->fd, buf, size);
		else if (n == 0)
			return -ETIMEDOUT;
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return -errno;
		now_us = clock_now_us(clock_system());
	}
	return -ETIMEDOUT;
}

void
apart_end(struct apart *a)
{
	(void)kill(a->child, SIGKILL);
	(void)waitpid(a->child, NULL, WNOHANG); /* init gets one that hangs */
	(void)close(a->fd);
}
