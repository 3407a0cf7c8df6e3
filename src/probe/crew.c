// SPDX-License-Identifier: MIT
/*
 * A worker is idle, at work or has a report; it belongs to its thread while at work, to
 * the caller else. The event descriptor only says that one of them may have changed.
 */
#include "config.h"

#include "probe/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"

#define CREW_STACK (128u << 10)

enum state { IDLE, AT_WORK, REPORTS };

struct worker {
	struct crew *crew;
	struct meter *meter;
	pthread_t thread;
	bool started;
	sem_t go;
	_Atomic unsigned int state;
	struct crew_report report;
};

struct crew {
	int fd;
	bool ending;
	unsigned int n;
	struct worker *workers;
};

static void *
run_worker(void *arg)
{
	const uint64_t one = 1;
	struct worker *w = arg;

	for (;;) {
		while (sem_wait(&w->go) < 0 && errno == EINTR)
			continue;
		if (w->crew->ending)
			return NULL;
		meter_visit(
			w->meter, w->report.cpu_a, w->report.cpu_b, &w->report.visit);
		atomic_store(&w->state, REPORTS);
		(void)!write(w->crew->fd, &one, sizeof(one));
	}
}

static int
start_worker(struct crew *c, struct worker *w, struct err *e)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t before;
	int r = meter_new(&w->meter, e);

	if (r < 0)
		return r;
	w->crew = c;
	(void)sem_init(&w->go, 0, 0);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, CREW_STACK);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&w->thread, &attr, run_worker, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	w->started = r == 0;
	if (r < 0)
		return err_set(
			e, r, NULL, 0, "no threads to measure with: %s", strerror(-r));
	return 0;
}

int
crew_new(unsigned int pairs, struct crew **out, struct err *e)
{
	struct crew *c = xcalloc(1, sizeof(*c));
	int r = 0;

	assert(pairs > 0 && pairs <= CREW_PAIRS_MAX);
	c->n = pairs;
	c->workers = xcalloc(pairs, sizeof(*c->workers));
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		r = err_set(e, -errno, NULL, 0, "no descriptor to wait with: %s",
			strerror(errno));
	for (unsigned int i = 0; i < pairs && r == 0; i++)
		r = start_worker(c, &c->workers[i], e);
	if (r < 0) {
		crew_free(c);
		return r;
	}
	*out = c;
	return 0;
}

int
crew_fd(const struct crew *c)
{
	return c->fd;
}

bool
crew_start(struct crew *c, unsigned int cpu_a, unsigned int cpu_b)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct worker *w = &c->workers[i];

		if (atomic_load(&w->state) != IDLE)
			continue;
		w->report = (struct crew_report){.cpu_a = cpu_a, .cpu_b = cpu_b};
		atomic_store(&w->state, AT_WORK);
		(void)sem_post(&w->go);
		return true;
	}
	return false;
}

bool
crew_take(struct crew *c, struct crew_report *out)
{
	uint64_t events;

	/* first, so that a report that comes meanwhile is announced again */
	(void)!read(c->fd, &events, sizeof(events));
	for (unsigned int i = 0; i < c->n; i++) {
		struct worker *w = &c->workers[i];

		if (atomic_load(&w->state) != REPORTS)
			continue;
		*out = w->report;
		atomic_store(&w->state, IDLE);
		return true;
	}
	return false;
}

unsigned int
crew_at_work(const struct crew *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n; i++)
		n += atomic_load(&c->workers[i].state) != IDLE ? 1 : 0;
	return n;
}

struct cpuset
crew_cpus(const struct crew *c)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < c->n; i++) {
		const struct worker *w = &c->workers[i];

		if (atomic_load(&w->state) == IDLE)
			continue;
		cpuset_add(&cpus, w->report.cpu_a);
		cpuset_add(&cpus, w->report.cpu_b);
	}
	return cpus;
}

bool
crew_is_full(const struct crew *c)
{
	return crew_at_work(c) == c->n;
}

bool
crew_lacks_realtime(const struct crew *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		if (meter_lacks_realtime(c->workers[i].meter))
			return true;
	}
	return false;
}

void
crew_free(struct crew *c)
{
	if (c == NULL)
		return;
	c->ending = true;
	for (unsigned int i = 0; i < c->n; i++) {
		struct worker *w = &c->workers[i];

		if (w->started) {
			(void)sem_post(&w->go);
			(void)pthread_join(w->thread, NULL);
			(void)sem_destroy(&w->go);
		}
		meter_free(w->meter);
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c->workers);
	free(c);
}
