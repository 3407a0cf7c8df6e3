// SPDX-License-Identifier: MIT
/* A monitor is one timer: for what is next, to connect, to be there or to answer. */
#include "config.h"

#include "qemu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "loop.h"
#include "qmp/monitor.h"
#include "qmp/reception.h"
#include "seam.h"
#include "vm/discovery.h"

#define ANSWER_US 1000u
#define BUSY_US 150000u
#define RETRY_US (5 * SECOND_US)
#define DIR "/run/qemu-server/"

struct monitor {
	struct guest *guest;
	struct monitor_handlers handlers;
	void *owner;
	enum monitor_phase phase;
	unsigned int first_delay_ms;
	struct event *next;
	bool hangs;
	bool busy; /* in a callback of ours */
	bool freed;
};

struct discovery {
	struct discovery_handlers handlers;
	void *owner;
};

/* ---- telling ---- */

/* Returns false when the monitor has gone by it. */
static bool
leave(struct monitor *m)
{
	m->busy = false;
	if (!m->freed)
		return true;
	free(m);
	return false;
}

static bool
tell_phase(struct monitor *m, enum monitor_phase phase, int r, const char *why)
{
	struct err e = ERR_NONE;

	m->phase = phase;
	m->busy = true;
	if (why != NULL)
		(void)err_set(&e, r, NULL, 0, "%s", why);
	m->handlers.on_phase(m->owner, phase, why != NULL ? &e : NULL);
	return leave(m);
}

static void
fill_vcpus(const struct guest *g, struct qmp_facts *f)
{
	f->vcpus = xcalloc(g->n_vcpus, sizeof(*f->vcpus));
	for (unsigned int i = 0; i < g->n_vcpus; i++) {
		const struct thread *t = model_vcpu(g, i);

		if (t != NULL)
			f->vcpus[f->n_vcpus++] = (struct qmp_vcpu){.index = i,
				.tid = t->tid,
				.node = -1,
				.socket = 0,
				.core = (int)(i / g->tpc),
				.thread = (int)(i % g->tpc)};
	}
}

static void
fill_iothreads(const struct guest *g, struct qmp_facts *f)
{
	f->iothreads = xcalloc(g->iothreads, sizeof(*f->iothreads));
	for (size_t i = 0; i < g->qemu->n; i++) {
		const struct thread *t = g->qemu->threads[i];

		if (t->class == THREAD_IOTHREAD)
			f->iothreads[f->n_iothreads++].tid = t->tid;
	}
}

static void
tell_facts(struct monitor *m)
{
	const struct guest *g = m->guest;
	struct qmp_facts f = {.running = !g->paused, .vcpus_max = g->vcpus_max};

	str_copy(f.status, sizeof(f.status), g->paused ? "paused" : "running");
	fill_vcpus(g, &f);
	fill_iothreads(g, &f);
	m->busy = true;
	m->handlers.on_facts(m->owner, &f);
	qmp_facts_fini(&f);
	(void)leave(m);
}

/* ---- what is next ---- */

static void
connect_to(struct monitor *m)
{
	const struct guest *g = m->guest;
	struct ucred peer = {.pid = g->qemu != NULL ? g->qemu->pid : 0};
	int r = -ECONNREFUSED;

	if (g->qemu != NULL && g->has_socket) {
		m->busy = true;
		r = m->handlers.on_peer(m->owner, MODEL_FD, &peer);
		if (!leave(m))
			return;
	}
	if (r < 0) {
		loop_after(m->next, RETRY_US);
		if (m->phase != MONITOR_IDLE || g->qemu == NULL)
			(void)tell_phase(m, MONITOR_IDLE, r, "cannot connect");
	} else if (m->hangs) {
		loop_after(m->next, 4 * RETRY_US);
		(void)tell_phase(m, MONITOR_STALLED, -ETIMEDOUT, "does not answer");
	} else {
		loop_after(m->next, ANSWER_US);
		(void)tell_phase(m, MONITOR_WATCHING, 0, NULL);
	}
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct monitor *m = arg;

	(void)fd;
	(void)what;
	if (!seam_alive())
		return;
	if (m->phase != MONITOR_WATCHING || m->guest->qemu == NULL)
		connect_to(m);
	else if (m->hangs)
		connect_to(m);
	else
		tell_facts(m);
}

void
qemu_ended(struct guest *g)
{
	if (g->monitor == NULL || g->monitor->phase == MONITOR_IDLE)
		return;
	g->monitor->hangs = false;
	loop_after(g->monitor->next, RETRY_US);
	(void)tell_phase(g->monitor, MONITOR_IDLE, -ECONNRESET, "hung up");
}

void
qemu_event(struct guest *g, enum qmp_event_kind kind)
{
	struct qmp_event event = {.kind = kind, .name = "EVENT"};
	struct monitor *m = g->monitor;

	if (m == NULL || m->phase != MONITOR_WATCHING || m->hangs)
		return;
	m->busy = true;
	m->handlers.on_event(m->owner, &event);
	(void)leave(m);
}

void
qemu_serve_other(struct guest *g)
{
	struct monitor *m = g->monitor;

	if (m == NULL || m->phase != MONITOR_WATCHING || m->hangs)
		return;
	loop_after(m->next, BUSY_US);
	(void)tell_phase(m, MONITOR_YIELDED, 0, NULL);
}

void
qemu_hang(struct guest *g)
{
	if (g->monitor != NULL)
		g->monitor->hangs = true;
}

void
qemu_recover(struct guest *g)
{
	if (g->monitor != NULL)
		g->monitor->hangs = false;
}

/* ---- qmp/monitor.h ---- */

static struct guest *
guest_of(const char *path)
{
	struct model *m = seam()->model;
	char want[64];

	for (unsigned int i = 0; i < m->n_guests; i++) {
		(void)snprintf(want, sizeof(want), DIR "%s.qmp", m->guests[i].id);
		if (str_equal(want, path))
			return &m->guests[i];
	}
	abort();
}

struct monitor *
monitor_new(struct event_base *base, const struct monitor_options *options,
	const struct monitor_handlers *handlers, void *owner)
{
	struct monitor *m = xcalloc(1, sizeof(*m));

	m->guest = guest_of(options->path);
	m->guest->monitor = m;
	m->handlers = *handlers;
	m->owner = owner;
	m->first_delay_ms = options->first_delay_ms;
	m->next = evtimer_new(base, on_next, m);
	return m;
}

void
monitor_start(struct monitor *m)
{
	loop_after(m->next, m->first_delay_ms * 1000u + 200u);
}

void
monitor_observe(struct monitor *m)
{
	if (m->phase == MONITOR_WATCHING && !evtimer_pending(m->next, NULL))
		loop_after(m->next, ANSWER_US);
}

void
monitor_free(struct monitor *m)
{
	if (m == NULL)
		return;
	if (m->guest->monitor == m)
		m->guest->monitor = NULL;
	event_free(m->next);
	m->freed = true;
	if (!m->busy)
		free(m);
}

void
monitor_set_share(struct monitor *m, enum share wish)
{
	(void)m;
	(void)wish;
}

enum share
monitor_share(const struct monitor *m)
{
	(void)m;
	return SHARE_YIELD;
}

bool
monitor_dial_in(struct monitor *m, int fd)
{
	(void)m;
	(void)fd;
	return false;
}

void
monitor_release(struct monitor *m)
{
	m->handlers.on_released(m->owner, 0, NULL);
}

void
monitor_guard_changed(struct monitor *m)
{
	(void)m;
}

bool
monitor_is_busy(const struct monitor *m)
{
	(void)m;
	return false;
}

void
monitor_finish(struct monitor *m)
{
	(void)m;
}

enum monitor_phase
monitor_phase(const struct monitor *m)
{
	return m->phase;
}

/* ---- qmp/reception.h: no QEMU of these dials in ---- */

int
reception_new(struct event_base *base, const char *run_dir,
	const struct reception_handlers *handlers, void *owner, struct reception **out,
	struct err *e)
{
	(void)base;
	(void)handlers;
	(void)owner;
	(void)out;
	return err_set(e, -ENOTSUP, run_dir, 0, "no QEMU dials in");
}

void
reception_free(struct reception *r)
{
	(void)r;
}

/* ---- vm/discovery.h ---- */

static void
tell_found(const struct discovery *d, const struct guest *g, bool fresh)
{
	char path[64];
	char pid_path[64];
	struct discovered found = {.id = g->id,
		.vmid = g->vmid,
		.socket_path = path,
		.pid_path = pid_path,
		.fresh = fresh};

	(void)snprintf(path, sizeof(path), DIR "%s.qmp", g->id);
	(void)snprintf(pid_path, sizeof(pid_path), DIR "%s.pid", g->id);
	d->handlers.on_found(d->owner, &found);
}

struct discovery *
discovery_new(struct event_base *base, const char *dir,
	const struct discovery_handlers *handlers, void *owner)
{
	struct discovery *d = xcalloc(1, sizeof(*d));

	(void)base;
	(void)dir;
	d->handlers = *handlers;
	d->owner = owner;
	seam()->model->discovery = d;
	return d;
}

void
discovery_start(struct discovery *d)
{
	const struct model *m = seam()->model;

	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].has_socket)
			tell_found(d, &m->guests[i], false);
	}
}

void
discovery_free(struct discovery *d)
{
	seam()->model->discovery = NULL;
	free(d);
}

void
qemu_open(struct guest *g)
{
	const struct discovery *d = seam()->model->discovery;

	g->has_socket = true;
	if (d != NULL)
		tell_found(d, g, true);
}

void
qemu_close(struct guest *g)
{
	const struct discovery *d = seam()->model->discovery;

	g->has_socket = false;
	if (d != NULL)
		d->handlers.on_lost(d->owner, g->id);
}
