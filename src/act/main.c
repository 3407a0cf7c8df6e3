// SPDX-License-Identifier: MIT
/*
 * qmpin-migrate PID START-TICKS NODES MIB-PER-SECOND: moves a guest's memory to host
 * nodes, nice and slowly. Ends when its stdin ends, or that process. On stdout:
 *
 *   progress MOVED STUCK SEEN TOTAL    in MiB, every second or so
 *   done MOVED STUCK                   the last line of a run that went well
 *   failed TEXT                        the last line of one that did not
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "act/pagemove.h"
#include "base/clock.h"
#include "base/pidfd.h"
#include "base/str.h"
#include "base/xalloc.h"

#define MAPS_BYTES_MAX (16u << 20)
#define STAT_BYTES_MAX 4096u
#define REPORT_US UINT64_C(1000000)
/* Pages that are pinned do not become free later: after so much in vain it is over. */
#define HOPELESS_BYTES (UINT64_C(64) << 20)
#define MIB (UINT64_C(1) << 20)

struct job {
	pid_t pid;
	uint64_t start_ticks;
	struct cpuset to;
	uint64_t bytes_per_s;
	int pidfd;
	struct pagemove move;
	uint64_t begun_us;
	uint64_t told_us;
};

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static int
fail(const char *text)
{
	(void)printf("failed %s\n", text);
	return 1;
}

static char *
read_proc(pid_t pid, const char *name, size_t cap)
{
	auto_free char *path = xasprintf("/proc/%d/%s", (int)pid, name);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct strbuf text = {0};
	auto_free char *chunk = xcalloc(1, 65536);
	ssize_t n = 0;

	while (fd >= 0 && text.len <= cap && (n = read(fd, chunk, 65536)) > 0)
		strbuf_add(&text, chunk, (size_t)n);
	if (fd < 0 || n < 0 || text.len > cap) {
		strbuf_fini(&text);
		return NULL;
	}
	return strbuf_take(&text);
}

/* Field 22 of its stat, counted from behind the name. */
static bool
is_same_process(const struct job *job)
{
	auto_free char *text = read_proc(job->pid, "stat", STAT_BYTES_MAX);
	const char *p = text != NULL ? strrchr(text, ')') : NULL;
	unsigned long long ticks;

	for (unsigned int i = 0; p != NULL && i < 20; i++) {
		p = strchr(p, ' ');
		p = p != NULL ? p + 1 : NULL;
	}
	return p != NULL && sscanf(p, "%llu", &ticks) == 1 && ticks == job->start_ticks;
}

/* Wait for @ms. Returns what ended meanwhile, NULL: nothing. */
static const char *
wait_for_end(const struct job *job, int ms)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = job->pidfd, .events = POLLIN},
	};

	if (poll(fds, ARRAY_LEN(fds), ms) <= 0)
		return NULL;
	return fds[1].revents != 0 ? "the VM has ended" : "stopped";
}

static void
report(struct job *job)
{
	const struct pagemove *m = &job->move;

	job->told_us = now_us();
	(void)printf("progress %llu %llu %llu %llu\n",
		(unsigned long long)(m->moved_bytes / MIB),
		(unsigned long long)(m->stuck_bytes / MIB),
		(unsigned long long)(m->seen_bytes / MIB),
		(unsigned long long)(m->total_bytes / MIB));
	(void)fflush(stdout);
}

/* Until what was moved is within the budget. */
static int
pause_ms(const struct job *job)
{
	uint64_t bytes = job->move.moved_bytes + job->move.stuck_bytes;
	uint64_t due_us = bytes / job->bytes_per_s * 1000000 +
			  bytes % job->bytes_per_s * 1000000 / job->bytes_per_s;
	uint64_t spent_us = now_us() - job->begun_us;

	return due_us > spent_us ? (int)((due_us - spent_us) / 1000) : 0;
}

static const char *
why_failed(int r)
{
	switch (r) {
	case -EPERM:
		return "move_pages is not permitted (see memory-migrate.conf)";
	case -ESRCH:
	case -EINVAL: /* it is ending: its memory has gone */
		return "the VM has ended";
	case -EACCES:
		return "its cgroup does not allow the node";
	default:
		return strerror(-r);
	}
}

static const char *
hopeless(const struct pagemove *m)
{
	if (m->stuck_bytes < HOPELESS_BYTES || m->moved_bytes > m->stuck_bytes / 8)
		return NULL;
	return m->full ? "the node has no room"
		       : "pages do not move (pinned, by a passed-through device?)";
}

static int
work(struct job *job)
{
	const char *why = NULL;
	int r = 1;

	job->begun_us = job->told_us = now_us();
	while (r > 0 && why == NULL) {
		r = pagemove_step(&job->move);
		if (r < 0)
			why = why_failed(r);
		else
			why = hopeless(&job->move);
		if (now_us() - job->told_us >= REPORT_US)
			report(job);
		if (why == NULL)
			why = wait_for_end(job, pause_ms(job));
	}
	if (why != NULL)
		return fail(why);
	(void)printf("done %llu %llu\n",
		(unsigned long long)(job->move.moved_bytes / MIB),
		(unsigned long long)(job->move.stuck_bytes / MIB));
	return 0;
}

static int
run(struct job *job)
{
	auto_free struct ram_range *ranges = NULL;
	auto_free char *maps = NULL;
	ssize_t n;

	job->pidfd = pidfd_of(job->pid);
	/* in this order: what the pidfd is of is what has started then */
	if (job->pidfd < 0 || !is_same_process(job))
		return fail("the VM has ended");
	maps = read_proc(job->pid, "maps", MAPS_BYTES_MAX);
	if (maps == NULL)
		return fail("its maps cannot be read");
	n = ramlist_parse(maps, &ranges);
	if (n < 0)
		return fail("its maps are not understood");
	pagemove_init(&job->move, job->pid, &job->to, ranges, (size_t)n);
	return work(job);
}

static bool
read_arguments(int argc, char **argv, struct job *job)
{
	uint64_t pid;
	uint64_t mib;

	if (argc != 5 || str_parse_uint(argv[1], INT_MAX, &pid) < 0 || pid == 0 ||
		str_parse_uint(argv[2], UINT64_MAX, &job->start_ticks) < 0 ||
		cpuset_parse(argv[3], &job->to) < 0 || cpuset_empty(&job->to) ||
		str_parse_uint(argv[4], 1000000, &mib) < 0 || mib == 0)
		return false;
	job->pid = (pid_t)pid;
	job->bytes_per_s = mib * MIB;
	return true;
}

int
main(int argc, char **argv)
{
	struct job job = {.pidfd = -1};

	if (!read_arguments(argc, argv, &job)) {
		(void)fputs(
			"usage: qmpin-migrate PID START-TICKS NODES MIB-PER-SECOND\n"
			"for qmpind, see memory = migrate\n",
			stderr);
		return 2;
	}
	(void)setpriority(PRIO_PROCESS, 0, 19);
	return run(&job);
}
