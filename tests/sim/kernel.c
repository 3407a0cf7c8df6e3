// SPDX-License-Identifier: MIT
/*
 * In the place of act/affinity.c, vm/task.c, vm/taskmask.c, vm/schedstat.c and
 * vm/identity.c: the same functions, answered by the model.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act/affinity.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "judge.h"
#include "model.h"
#include "seam.h"
#include "vm/identity.h"
#include "vm/schedstat.h"
#include "vm/task.h"
#include "vm/taskmask.h"

/* ---- vm/task.h ---- */

int
task_stat_read(int procfd, pid_t pid, pid_t tid, struct task_stat *out)
{
	const struct thread *t = model_thread(seam()->model, tid);

	(void)procfd;
	if (!seam_alive() || t == NULL || t->of->pid != pid)
		return -ESRCH;
	*out = (struct task_stat){.tid = tid,
		.state = 'S',
		.start_ticks = t->start_ticks,
		.last_cpu = (int)cpuset_next(&t->mask, 0)};
	str_copy(out->comm, sizeof(out->comm), t->comm);
	return 0;
}

ssize_t
task_list_read(int procfd, pid_t pid, pid_t **tids)
{
	const struct process *p = model_process(seam()->model, pid);

	(void)procfd;
	if (!seam_alive() || p == NULL)
		return -ESRCH;
	*tids = xcalloc(p->n, sizeof(**tids));
	for (size_t i = 0; i < p->n; i++)
		(*tids)[i] = p->threads[i]->tid;
	return (ssize_t)p->n;
}

/* ---- vm/taskmask.h ---- */

int
taskmask_read(int procfd, pid_t pid, pid_t tid, struct cpuset *out)
{
	const struct thread *t = model_thread(seam()->model, tid);

	(void)procfd;
	if (!seam_alive() || t == NULL || t->of->pid != pid)
		return -ESRCH;
	*out = t->mask;
	return 0;
}

/* ---- vm/schedstat.h ---- */

int
schedstat_read(int dirfd, const char *dir, pid_t tid, struct schedstat *out)
{
	struct model *m = seam()->model;
	struct thread *t = model_thread(m, tid);

	(void)dirfd;
	(void)dir;
	if (!seam_alive() || t == NULL)
		return -ESRCH;
	load_count(m, t);
	*out = (struct schedstat){.run_ns = t->run_ns, .wait_ns = t->wait_ns};
	return 0;
}

int
schedstat_process_ns(pid_t pid, uint64_t *out)
{
	struct process *p = model_process(seam()->model, pid);

	if (!seam_alive() || p == NULL)
		return -ESRCH;
	*out = load_process_ns(seam()->model, p);
	return 0;
}

/* ---- vm/identity.h ---- */

static int
identify(pid_t pid, struct vm_identity *out)
{
	const struct process *p = model_process(seam()->model, pid);

	if (!seam_alive() || p == NULL)
		return -ESRCH;
	*out = (struct vm_identity){.pid = pid,
		.start_ticks = p->start_ticks,
		.pidfd = MODEL_FD + (int)p->serial};
	return 0;
}

int
identity_prove(int procfd, const char *socket_path, const char *pid_path,
	int need_pidfile, const struct ucred *peer, struct vm_identity *out,
	struct err *e)
{
	int r = identify(peer->pid, out);

	(void)procfd;
	(void)pid_path;
	(void)need_pidfile;
	return r < 0 ? err_set(e, r, socket_path, 0, "its process has ended") : 0;
}

int
identity_reopen(int procfd, pid_t pid, uint64_t start_ticks, const char *source,
	struct vm_identity *out, struct err *e)
{
	struct vm_identity found;
	int r = identify(pid, &found);

	(void)procfd;
	if (r == 0 && found.start_ticks != start_ticks)
		r = -ESRCH;
	if (r < 0)
		return err_set(e, r, source, 0, "its process has ended");
	*out = found;
	return 0;
}

int
identity_check_peer(int fd, const char *socket_path, struct err *e)
{
	(void)fd;
	(void)socket_path;
	(void)e;
	return 0;
}

int
identity_of_process(int procfd, pid_t pid, struct vm_identity *out)
{
	(void)procfd;
	return identify(pid, out);
}

bool
identity_has_ended(const struct vm_identity *id)
{
	const struct process *p = model_process(seam()->model, id->pid);

	return p == NULL || MODEL_FD + (int)p->serial != id->pidfd;
}

void
identity_fini(struct vm_identity *id)
{
	*id = (struct vm_identity){.pidfd = -1};
}

/* ---- act/affinity.h ---- */

int
affinity_online(struct cpuset *out)
{
	if (!seam_alive())
		return -EIO;
	*out = seam()->model->online;
	return 0;
}

int
affinity_offline(struct cpuset *out)
{
	const struct model *m = seam()->model;

	if (!seam_alive())
		return -EIO;
	*out = cpuset_minus(&m->whole.topo->online, &m->online);
	return 0;
}

bool
affinity_is_kept(const struct cpuset *want, const struct cpuset *got)
{
	struct cpuset expected = cpuset_and(want, &seam()->model->online);

	return cpuset_equal(want, got) || cpuset_equal(&expected, got);
}

int
affinity_read(pid_t tid, struct cpuset *out)
{
	const struct model *m = seam()->model;
	const struct thread *t = model_thread(m, tid);

	if (!seam_alive() || t == NULL)
		return -ESRCH;
	*out = masks_shown(m, t);
	if (t->hides)
		*out = cpuset_and(&t->ours, &m->online);
	return 0;
}

/* It is the thread that is meant. */
static struct thread *
find(const struct thread_ref *ref)
{
	struct thread *t = model_thread(seam()->model, ref->tid);

	if (t == NULL || t->of->pid != ref->pid ||
		MODEL_FD + (int)t->of->serial != ref->pidfd ||
		t->start_ticks != ref->start_ticks)
		return NULL;
	return t;
}

static int
set(struct thread *t, const struct cpuset *want)
{
	struct model *m = seam()->model;
	struct cpuset mask = *want;
	struct cpuset got;
	int r;

	if (!cpuset_empty(&m->reserved) && seam_fails(FAULT_BEYOND, 1000))
		cpuset_add(&mask, cpuset_next(&m->reserved, 0));
	judge_set(seam()->judge, t, &mask);
	t->hides = seam_fails(FAULT_MASK, 1000);
	r = t->hides ? 0 : masks_set(m, t, &mask);
	if (r < 0)
		return r;
	judge_has_set(seam()->judge, t, want);
	t->hides |= t->tid % 64 == 1 && seam()->fault == FAULT_BLIND;
	got = masks_shown(m, t);
	return t->hides || affinity_is_kept(&mask, &got) ? 0 : -EAGAIN;
}

int
affinity_apply(
	const struct thread_ref *ref, const struct cpuset *want, struct cpuset *had)
{
	struct thread *t = find(ref);
	struct cpuset before;
	int r;

	if (!seam_alive() || t == NULL)
		return -ESRCH;
	before = masks_shown(seam()->model, t);
	r = set(t, want);
	if (!seam_alive())
		return -ESRCH;
	if (r == 0 && had != NULL)
		*had = before;
	return r;
}
