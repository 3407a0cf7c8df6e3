// SPDX-License-Identifier: MIT
/*
 * Ctrl-C by way of signalfd: no handler runs in the middle of something, and no signal
 * is lost between looking and waiting.
 */
#include "config.h"

#include "cli/stop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

void
stop_begin(struct stop *s)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, &s->before);
	s->fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}

bool
stop_is_wanted(const struct stop *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

void
stop_end(struct stop *s)
{
	struct signalfd_siginfo info;

	if (s->fd < 0)
		return;
	/* what is pending would strike as soon as it is let in */
	while (read(s->fd, &info, sizeof(info)) > 0)
		continue;
	(void)close(s->fd);
	s->fd = -1;
	(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}
