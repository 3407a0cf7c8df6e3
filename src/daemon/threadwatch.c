// SPDX-License-Identifier: MIT
/*
 * Counting the threads of VMs. The kernel has the number as the link count of
 * /proc/PID/task (2 and one for each thread), so that a look is one system call on a
 * descriptor that stays open; it belongs to that process, whoever gets the pid later.
 */
#include "config.h"

#include "daemon/threadwatch.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/audit.h"
#include "daemon/engine.h"

/* Links of a directory without threads: its name and ".". */
#define LINKS_MIN 2u

/* More VMs than this are looked at in two halves: ten wake-ups a second at most. */
#define HALVES_FROM 32u

/* A look takes 0.4 to 1.3 us. So many of them at a time cost at most 0.13 % of a CPU,
 * and from 200 VMs on each is looked at less often: 1000 every second. */
#define LOOKS_MAX 100u

/* Guests with much I/O make pool workers come and go all the time. An audit takes some
 * 10 us: so many of them at a time are 0.3 % of a CPU, the others have to wait. */
#define AUDITS_MAX 32u

static bool
open_tasks(const struct engine *e, struct vm *vm)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/task", (int)vm->identity.pid);
	vm->task_dirfd = openat(e->procfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	vm->task_links = LINKS_MIN + vm_own_tasks(vm);
	return vm->task_dirfd >= 0;
}

size_t
threadwatch_count(const struct engine *e, struct vm *vm)
{
	struct stat st;

	if (e->look_ms > 0 && vm->task_dirfd >= 0)
		return vm->task_links - LINKS_MIN; /* as of the last look */
	if (vm->task_dirfd < 0 && !open_tasks(e, vm))
		return 0;
	if (fstat(vm->task_dirfd, &st) < 0 || st.st_nlink < LINKS_MIN)
		return 0;
	return st.st_nlink - LINKS_MIN;
}

/* Returns true when its threads were listed. */
static bool
look_at(struct engine *e, struct vm *vm)
{
	struct stat st;

	if (!vm->surveyed)
		return false;
	if (vm->task_dirfd < 0 && !open_tasks(e, vm))
		return false;
	if (fstat(vm->task_dirfd, &st) < 0 || st.st_nlink == vm->task_links)
		return false;
	vm->task_links = st.st_nlink;
	audit_threads(e, vm);
	return true;
}

static unsigned int
slice_count(const struct engine *e)
{
	return e->n_vms < HALVES_FROM ? 1 : 2;
}

static void
schedule(struct engine *e)
{
	unsigned int ms = e->look_ms / slice_count(e);
	struct timeval tv = clock_timeval_ms(ms);

	evtimer_add(e->looks, &tv);
}

static void
on_look_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	size_t quota = (e->n_vms + slice_count(e) - 1) / slice_count(e);
	unsigned int audits = 0;

	(void)fd;
	(void)what;
	if (quota > LOOKS_MAX)
		quota = LOOKS_MAX;
	for (size_t i = 0; i < quota && audits < AUDITS_MAX; i++) {
		if (e->look_next >= e->n_vms)
			e->look_next = 0;
		audits += look_at(e, e->vms[e->look_next++]);
	}
	threadwatch_wake(e);
}

void
threadwatch_start(struct engine *e)
{
	e->look_ms = THREADWATCH_MS;
	e->looks = evtimer_new(e->base, on_look_tick, e);
}

void
threadwatch_wake(struct engine *e)
{
	if (e->n_vms > 0 && e->look_ms > 0 && !evtimer_pending(e->looks, NULL))
		schedule(e);
}
