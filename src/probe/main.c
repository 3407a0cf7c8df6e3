// SPDX-License-Identifier: MIT
/* qmpin-probe: one at a time, told what to do by its options and its stdin. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "probe/probeargs.h"
#include "probe/run.h"
#include "probe/wire.h"

/* How often, and how far apart, one looks whether another probe that was about to end
 * has: a second in all. */
#define LOCK_TRIES 50
#define LOCK_PAUSE_MS 20

/* Returns 0 or -errno, or ends with the parent. */
static int
lock(int fd)
{
	struct pollfd parent = {.fd = STDIN_FILENO};

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return -errno;
		if (poll(&parent, 1, LOCK_PAUSE_MS) > 0)
			_exit(0);
	}
	return 0;
}

/*
 * Two probes would take each other for load, and twice the time from the CPUs. The lock
 * is on the program itself: the same file for the daemon, which may see another /run
 * and another network, and for everybody else. It ends with the process, and with what
 * that has forked.
 */
static int
lock_out_others(struct err *e)
{
	auto_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(e, -errno, "/proc/self/exe", 0, "%s", strerror(errno));
	r = lock(fd);
	if (r == -EWOULDBLOCK)
		return err_set(e, -EBUSY, NULL, 0, "another probe is running");
	if (r < 0)
		return err_set(e, r, "/proc/self/exe", 0, "no lock: %s", strerror(-r));
	fd = -1; /* stays open */
	return 0;
}

/* In the words of the wire, as everything else. */
static int
say_failed(const struct err *e)
{
	char text[sizeof(e->source) + sizeof(e->text) + 32];

	(void)printf("failed %s\n", err_format(e, text, sizeof(text)));
	return 1;
}

int
main(int argc, char **argv)
{
	struct err e = ERR_NONE;
	struct probeargs args;

	if (probeargs_parse(argc, argv, &args, &e) < 0) {
		(void)fprintf(
			stderr, "qmpin-probe: %s (see qmpin-probe --help)\n", e.text);
		return 2;
	}
	if (args.help) {
		probeargs_help(stdout);
		return 0;
	}
	if (args.version) {
		(void)puts("qmpin-probe " PACKAGE_VERSION);
		return 0;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (lock_out_others(&e) < 0)
		return say_failed(&e);
	return run_probe(&args, STDIN_FILENO, STDOUT_FILENO);
}
