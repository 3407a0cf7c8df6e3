// SPDX-License-Identifier: MIT
/* Processes, threads and VMs of the host. Ids are given out as the kernel does:
 * upwards, and from the bottom again. */
#include "config.h"

#include "model.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "loop.h"
#include "qemu.h"

#define FIRST_PID 300
#define TICKS_US 10000u

uint64_t
model_now_us(const struct model *m)
{
	return loop_now_us(m->base);
}

struct process *
model_process(const struct model *m, pid_t pid)
{
	return pid > 0 && pid < (pid_t)MODEL_PIDS ? m->by_pid[pid] : NULL;
}

struct thread *
model_thread(const struct model *m, pid_t tid)
{
	return tid > 0 && tid < (pid_t)MODEL_PIDS ? m->by_tid[tid] : NULL;
}

struct process *
model_of_fd(const struct model *m, int pidfd)
{
	for (unsigned int i = 0; i < m->n_guests; i++) {
		struct process *all[] = {m->guests[i].qemu, m->guests[i].tpm};

		for (unsigned int k = 0; k < 2; k++) {
			if (all[k] != NULL && MODEL_FD + (int)all[k]->serial == pidfd)
				return all[k];
		}
	}
	return NULL;
}

static pid_t
next_tid(struct model *m)
{
	do {
		m->last_tid++;
		if (m->last_tid >= (pid_t)MODEL_PIDS)
			m->last_tid = FIRST_PID;
	} while (m->by_tid[m->last_tid] != NULL);
	return m->last_tid;
}

void
model_churn(struct model *m, unsigned int n)
{
	while (n-- > 0)
		(void)next_tid(m);
}

/* ---- threads ---- */

static struct thread *
new_thread(struct model *m, struct process *p, pid_t tid)
{
	struct thread *t = xcalloc(1, sizeof(*t));
	size_t at = p->n;

	*t = (struct thread){.tid = tid, .of = p, .index = -1};
	t->born_us = t->counted_us = model_now_us(m);
	t->start_ticks = t->born_us / TICKS_US;
	p->threads = xgrow(p->threads, p->n, &p->cap, sizeof(struct thread *));
	for (; at > 0 && p->threads[at - 1]->tid > tid; at--)
		p->threads[at] = p->threads[at - 1];
	p->threads[at] = t;
	p->n++;
	m->by_tid[tid] = t;
	m->load_due = true;
	return t;
}

static struct thread *
main_thread(const struct process *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->threads[i]->tid == p->pid)
			return p->threads[i];
	}
	return NULL;
}

struct thread *
model_add_thread(struct model *m, struct process *p, enum thread_class class, int index,
	const char *comm)
{
	const struct thread *parent = main_thread(p);
	struct thread *t = new_thread(m, p, next_tid(m));

	t->class = class;
	t->index = index;
	t->user = parent->user;
	t->mask = parent->mask;
	t->known = p->touched;
	t->limit = class == THREAD_VCPU ? p->vcpu_limit : p->limit;
	str_copy(t->comm, sizeof(t->comm), comm);
	return t;
}

void
model_end_thread(struct model *m, struct thread *t)
{
	struct process *p = t->of;
	size_t at = 0;

	while (p->threads[at] != t)
		at++;
	load_count(m, t);
	p->ended_ns += t->run_ns;
	p->n--;
	memmove(&p->threads[at], &p->threads[at + 1], (p->n - at) * sizeof(t));
	m->by_tid[t->tid] = NULL;
	m->load_due = true;
	free(t);
}

struct thread *
model_vcpu(const struct guest *g, unsigned int index)
{
	for (size_t i = 0; g->qemu != NULL && i < g->qemu->n; i++) {
		struct thread *t = g->qemu->threads[i];

		if (t->class == THREAD_VCPU && t->index == (int)index)
			return t;
	}
	return NULL;
}

/* ---- processes ---- */

static struct process *
start_process(struct model *m, struct guest *g, const char *comm)
{
	struct process *p = xcalloc(1, sizeof(*p));
	struct thread *t;

	p->pid = next_tid(m);
	p->serial = ++m->serials;
	p->guest = g;
	m->by_pid[p->pid] = p;
	t = new_thread(m, p, p->pid);
	t->class = THREAD_EMULATOR;
	str_copy(t->comm, sizeof(t->comm), comm);
	p->start_ticks = t->start_ticks;
	t->user = cpuset_empty(&g->affinity) ? m->whole.topo->online : g->affinity;
	t->mask = masks_allowed(m, g);
	if (cpuset_overlap(&t->user, &t->mask))
		t->mask = cpuset_and(&t->mask, &t->user);
	if (!cpuset_overlap(&t->mask, &m->online))
		t->mask = m->online;
	return p;
}

static void
end_process(struct model *m, struct process *p)
{
	int fd = MODEL_FD + (int)p->serial;

	while (p->n > 0)
		model_end_thread(m, p->threads[p->n - 1]);
	m->by_pid[p->pid] = NULL;
	free(p->threads);
	free(p);
	loop_readable(m->base, fd);
}

static void
start_tpm(struct model *m, struct guest *g)
{
	g->tpm = start_process(m, g, "swtpm");
	g->tpm->helper = true;
	g->tpm->threads[0]->class = THREAD_HELPER;
}

static void
start_threads(struct model *m, struct guest *g)
{
	(void)model_add_thread(m, g->qemu, THREAD_WORKER, -1, "call_rcu");
	for (unsigned int i = 0; i < g->iothreads; i++)
		(void)model_add_thread(
			m, g->qemu, THREAD_IOTHREAD, (int)i, "IO iothread");
	for (unsigned int i = 0; i < g->n_vcpus; i++)
		(void)model_add_thread(m, g->qemu, THREAD_VCPU, (int)i, "CPU/KVM");
	(void)model_add_thread(m, g->qemu, THREAD_WORKER, -1, "vnc_worker");
}

void
model_start(struct model *m, struct guest *g)
{
	unsigned int span = g->vcpus_max - g->vcpus_min + 1;

	g->paused = false;
	g->restored = g->has_mode = g->foreign = g->named = false;
	g->drifts = 0;
	g->n_vcpus = g->vcpus_min + rnd_below(&m->rnd, span);
	g->cpuset = CPUSET_NONE;
	memset(g->node_kib, 0, sizeof(g->node_kib));
	if (g->has_tpm)
		start_tpm(m, g);
	g->qemu = start_process(m, g, "kvm");
	start_threads(m, g);
	g->started_us = model_now_us(m);
	load_change(m, g, rnd_share(&m->rnd) * 0.4);
}

void
model_end(struct model *m, struct guest *g)
{
	struct process *qemu = g->qemu;
	struct process *tpm = g->tpm;

	g->qemu = g->tpm = NULL;
	qemu_ended(g);
	end_process(m, qemu);
	if (tpm != NULL)
		end_process(m, tpm);
}

static size_t
process_bytes(struct process *p)
{
	size_t sum = malloc_usable_size(p) + malloc_usable_size(p->threads);

	for (size_t i = 0; i < p->n; i++)
		sum += malloc_usable_size(p->threads[i]);
	return sum;
}

size_t
model_bytes(const struct model *m)
{
	size_t sum = 0;

	for (unsigned int pid = 0; pid < MODEL_PIDS; pid++)
		sum += m->by_pid[pid] != NULL ? process_bytes(m->by_pid[pid]) : 0;
	return sum;
}

/* ---- the host ---- */

struct model *
model_new(struct event_base *base, const struct host_spec *spec, uint64_t seed)
{
	struct model *m = xcalloc(1, sizeof(*m));

	m->base = base;
	m->rnd = rnd_new(seed);
	m->spec = spec;
	m->whole = host_full(spec);
	m->online = m->whole.topo->online;
	m->last_tid = FIRST_PID;
	return m;
}

void
model_free(struct model *m)
{
	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].qemu != NULL)
			model_end(m, &m->guests[i]);
	}
	host_fini(&m->whole);
	free(m);
}
