// SPDX-License-Identifier: MIT
/*
 * From a fork of the daemon to a process that shares nothing with it but its memory at
 * that time. Nothing is inherited by leaving it out of a list: all goes but two.
 */
#include "config.h"

#include "qmp/guard_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * The daemon's handlers write into a pipe of its event loop, whose number will soon be
 * that of something else here. What ends the daemon must not end the guard before it.
 */
static void
reset_signals(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Out of the way of the standard streams. */
static int
move_up(int fd)
{
	return fd >= 0 && fd <= STDERR_FILENO ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

/* Close all but two descriptors, of which @b may be negative. Standard streams that
 * lead nowhere take the lowest numbers: what is written by mistake must not reach a
 * session.
 */
static int
close_inherited(int a, int b)
{
	unsigned int low = (unsigned int)(b >= 0 && b < a ? b : a);
	unsigned int high = (unsigned int)(b > a ? b : a);
	int r;

	r = close_range(0, low - 1, 0);
	if (r == 0 && high > low + 1)
		r = close_range(low + 1, high - 1, 0);
	if (r == 0)
		r = close_range(high + 1, UINT_MAX, 0);
	if (r == 0 && open("/dev/null", O_RDWR) != STDIN_FILENO)
		r = -1;
	/* NOLINTNEXTLINE(misc-redundant-expression): two more of it */
	if (r == 0 && (dup(STDIN_FILENO) < 0 || dup(STDIN_FILENO) < 0))
		r = -1;
	return r;
}

int
guard_process_detach(const char *name, int *a, int *b)
{
	reset_signals();
	*a = move_up(*a);
	*b = move_up(*b);
	if (*a < 0 || close_inherited(*a, *b) < 0 || chdir("/") < 0)
		return -errno;
	(void)prctl(PR_SET_NAME, name);
	(void)setsid(); /* stopping the daemon from its terminal does not stop us */
	return 0;
}
