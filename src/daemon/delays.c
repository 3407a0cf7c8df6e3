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

/* A file costs 6 us. So many are read an interval for those that run: more than there
 * are vCPUs that can do so without waiting, on most hosts. */
#define READS_MAX 2500u

/* A VM that uses less of a CPU than this, and about what it used when it was read, is
 * left out so many times: most VMs of a full host idle. */
#define QUIET_CPUS 0.03
#define STEADY_CPUS 0.02
#define QUIET_SKIPS 15u

/* Others are left out so many times where all reads are used up. */
#define BUSY_SKIPS 3u

/* So much waiting is looked at each time, however little the VM runs. */
#define WAITED_MIN 0.02

bool
delays_are_due(const struct delays *d, bool helpless, unsigned int room)
{
	bool waits = rundelay_share(d->threads, d->n) > WAITED_MIN;
	double change = d->use - d->read_use;

	for (size_t i = 0; i < d->n; i++) {
		if (d->threads[i].n < RUNDELAY_WINDOWS)
			return true;
	}
	if (waits && !helpless)
		return true;
	if (!waits && d->use >= 0 && d->use < QUIET_CPUS && change < STEADY_CPUS &&
		change > -STEADY_CPUS)
		return d->skipped >= QUIET_SKIPS;
	return d->skipped >= BUSY_SKIPS || d->n <= room;
}

/* What the process has used since the last audit. */
static void
look_at_use(struct delays *d, pid_t pid, uint64_t now_us)
{
	uint64_t used_ns;

	d->use = -1;
	if (schedstat_process_ns(pid, &used_ns) < 0)
		return;
	if (d->used_us > 0 && now_us > d->used_us && used_ns >= d->used_ns)
		d->use = (double)(used_ns - d->used_ns) / 1e3 /
			 (double)(now_us - d->used_us);
	d->used_ns = used_ns;
	d->used_us = now_us;
}

/* Reads that are left now. */
static unsigned int
room_of(struct delays_pace *p, uint64_t interval_us, uint64_t now_us)
{
	uint64_t span_us = now_us - p->at_us;

	p->at_us = now_us;
	if (span_us >= interval_us)
		p->room = READS_MAX;
	else
		p->room += (double)span_us * READS_MAX / (double)interval_us;
	if (p->room > READS_MAX)
		p->room = READS_MAX;
	return p->room > 0 ? (unsigned int)p->room : 0;
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
	struct delays_pace *pace = &e->squeezes.pace;
	uint64_t interval_us = (uint64_t)e->config.audit_interval_ms * 1000;
	uint64_t now_us = clock_now_us(e->clock);

	if (!is_matched(d, vm))
		match_threads(d, vm);
	look_at_use(d, vm->identity.pid, now_us);
	if (!delays_are_due(d, now_us < vm->squeeze.look_us,
		    room_of(pace, interval_us, now_us))) {
		d->skipped++;
		return;
	}
	d->skipped = 0;
	d->read_use = d->use;
	pace->room -= (double)d->n;
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
