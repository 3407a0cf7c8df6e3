// SPDX-License-Identifier: MIT
/* qmpin-probe: one at a time, told what to do by its options and its stdin. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
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

/*
 * Two probes would take each other for load, and twice the time from the CPUs. The lock
 * is on the program itself: the same file for the daemon, which may see another /run
 * and another network, and for everybody else. It ends with the process.
 */
static int
lock_out_others(struct err *e)
{
	auto_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, -errno, "/proc/self/exe", 0, "%s", strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		fd = -1; /* stays open */
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return err_set(e, -EBUSY, NULL, 0, "another probe is running");
	return err_set(e, -errno, "/proc/self/exe", 0, "no lock: %s", strerror(errno));
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
