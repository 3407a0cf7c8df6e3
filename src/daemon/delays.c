// SPDX-License-Identifier: MIT
/* Counters of vCPUs. Threads that ended are forgotten, new ones begin anew. */
#include "config.h"

#include "daemon/delays.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "daemon/engine.h"
#include "vm/schedstat.h"

/* A VM that used less of a CPU than this since the last audit is left out, but for each
 * fourth time. A vCPU file costs 6 us, and most VMs of a full host idle. */
#define USED_MIN_CPUS 0.03
#define SKIPS_MAX 3u

/* So much waiting is looked at each time, however little the VM runs. */
#define WAITED_MIN 0.02

static bool
is_quiet(struct delays *d, pid_t pid, uint64_t now_us)
{
	uint64_t used_ns;
	bool quiet;

	if (schedstat_process_ns(pid, &used_ns) < 0)
		return false;
	quiet = d->used_us > 0 && used_ns >= d->used_ns &&
		(double)(used_ns - d->used_ns) <
			USED_MIN_CPUS * 1e3 * (double)(now_us - d->used_us);
	d->used_ns = used_ns;
	d->used_us = now_us;
	return quiet;
}

/* Its threads need not be read this time. */
static bool
may_skip(struct delays *d, pid_t pid, uint64_t now_us)
{
	if (!is_quiet(d, pid, now_us) || d->skipped >= SKIPS_MAX ||
		rundelay_share(d->threads, d->n) > WAITED_MIN)
		return false;
	for (size_t i = 0; i < d->n; i++) {
		if (d->threads[i].n < RUNDELAY_WINDOWS)
			return false;
	}
	d->skipped++;
	return d->n > 0;
}

static void
read_one(struct engine *e, const struct vm *vm, struct rundelay *r, uint64_t now_us)
{
	struct schedstat s;
	char dir[32] = "";
	int fd = vm->task_dirfd;

	if (fd < 0) {
		(void)snprintf(dir, sizeof(dir), "%d/task/", (int)vm->identity.pid);
		fd = e->procfd;
	}
	if (schedstat_read(fd, dir, r->tid, &s) < 0)
		rundelay_restart(r);
	else
		rundelay_add(r, &s, now_us);
}

/* One entry for each vCPU, in the order of tasks, with what is known of it. */
static void
match_threads(struct delays *d, const struct vm *vm)
{
	struct rundelay *had = d->threads;
	size_t n_had = d->n;
	size_t at = 0;

	d->threads = xcalloc(vm->n_tasks, sizeof(*d->threads));
	d->n = 0;
	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_thread *t = &vm->tasks[i].thread;

		if (t->class != THREAD_VCPU)
			continue;
		while (at < n_had && had[at].tid < t->tid)
			at++;
		if (at < n_had && had[at].tid == t->tid &&
			had[at].start_ticks == t->start_ticks)
			d->threads[d->n++] = had[at];
		else
			d->threads[d->n++] = (struct rundelay){
				.tid = t->tid, .start_ticks = t->start_ticks};
	}
	free(had);
}

static bool
is_matched(const struct delays *d, const struct vm *vm)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_thread *t = &vm->tasks[i].thread;

		if (t->class != THREAD_VCPU)
			continue;
		if (n == d->n || d->threads[n].tid != t->tid ||
			d->threads[n].start_ticks != t->start_ticks)
			return false;
		n++;
	}
	return n == d->n;
}

void
delays_read(struct engine *e, struct vm *vm)
{
	struct delays *d = &vm->squeeze.delays;
	uint64_t now_us = clock_now_us(e->clock);

	if (!is_matched(d, vm))
		match_threads(d, vm);
	if (may_skip(d, vm->identity.pid, now_us))
		return;
	d->skipped = 0;
	for (size_t i = 0; i < d->n; i++)
		read_one(e, vm, &d->threads[i], now_us);
}

void
delays_restart(struct delays *d)
{
	for (size_t i = 0; i < d->n; i++)
		rundelay_restart(&d->threads[i]);
}

void
delays_fini(struct delays *d)
{
	free(d->threads);
	*d = (struct delays){0};
}

double
delays_busy(const struct delays *d, pid_t tid)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->threads[i].tid == tid)
			return rundelay_busy(&d->threads[i]);
	}
	return 0;
}
