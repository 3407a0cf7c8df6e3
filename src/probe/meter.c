// SPDX-License-Identifier: MIT
/*
 * A visit: both threads are bound to their CPUs while they sleep, meet there, and agree
 * on the instants of some bursts. Between bursts they sleep, so that whoever owns the
 * CPU waits for no longer than one. The lines are those of one page, which the first of
 * the two CPUs has touched first: lines have their homes in different places, and the
 * page is on a node of the pair. Every wait has an end, so a visit has one.
 */
#include "config.h"

#include "probe/meter.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "probe/estimate.h"
#include "probe/grip.h"
#include "probe/rally.h"

#define METER_BURSTS 4u
/* From one burst to the next; where a burst takes longer, there is no sleep between. */
#define METER_PERIOD_NS 50000u
/* From the agreement to the first burst: both have to fall asleep before. */
#define METER_LEAD_NS 40000u
/* Who comes later than that to a burst has missed it. */
#define METER_PATIENCE_NS 40000u
/* A rally begins no further batch after so long, and is given up after so long. */
#define METER_ENOUGH_NS 50000u
#define METER_GIVE_UP_NS 120000u
/* So long one waits, asleep, for the other to get onto its CPU. */
#define METER_MEET_NS 20000000u
/* A thread that cannot get onto its CPU is called back after so long. */
#define METER_STUCK_NS 60000000u
#define METER_PAGE (RALLY_LINES * RALLY_LINE_BYTES)
#define METER_STACK (128u << 10)
enum appointment { NOBODY, ONE_WAITS, AGREED, MISSED };

/* One of the two threads. Its results are the caller's after the visit. */
struct side {
	struct meter *m;
	unsigned int index; /* 0 serves and takes the time */
	unsigned int cpu;
	pthread_t thread;
	bool started;
	pid_t tid;
	sem_t go;
	sem_t met;
	bool displaced; /* found itself on another CPU */
	bool good[METER_BURSTS];
	uint64_t cpu_us;
};

struct meter {
	struct side sides[2];
	sem_t done;
	struct cpuset home; /* where the threads may be when nothing else is said */
	unsigned char *page;
	bool ending;
	atomic_bool refused; /* real-time priority */
	_Atomic uint32_t appointment;
	uint64_t start_ns; /* of the first burst; set by who makes the appointment */
	unsigned int n_batches[METER_BURSTS];
	uint32_t batch_ns[METER_BURSTS][RALLY_BATCHES];
	_Alignas(RALLY_LINE_BYTES) _Atomic uint32_t meetings[METER_BURSTS];
};

static struct timespec
timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u)};
}

static void
wait_for(sem_t *s)
{
	while (sem_wait(s) < 0 && errno == EINTR)
		continue;
}

/* Returns false when nothing came in time. */
static bool
wait_until(sem_t *s, uint64_t until_ns)
{
	struct timespec t = timespec_of(until_ns);
	int r;

	do {
		r = sem_clockwait(s, CLOCK_MONOTONIC, &t);
	} while (r < 0 && errno == EINTR);
	return r == 0;
}

static bool
turn_into(struct meter *m, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&m->appointment, &from, to);
}

/* Both are on their CPUs, and know when the first burst is. The first one sleeps until
 * the other is there. */
static bool
agree(struct side *s)
{
	struct meter *m = s->m;

	if (turn_into(m, NOBODY, ONE_WAITS)) {
		if (wait_until(&s->met, rally_now_ns() + METER_MEET_NS))
			return true;
		if (turn_into(m, ONE_WAITS, MISSED))
			return false;
		wait_for(&s->met); /* it came at the last moment */
		return true;
	}
	m->start_ns = rally_now_ns() + METER_LEAD_NS;
	if (!turn_into(m, ONE_WAITS, AGREED))
		return false;
	(void)sem_post(&m->sides[1 - s->index].met);
	return true;
}

/* Bursts that are cut short on a slow host still use different lines. */
static struct rally_court
court_of(const struct meter *m, unsigned int burst)
{
	return (struct rally_court){
		.lines = m->page, .first = burst * (RALLY_LINES / METER_BURSTS)};
}

static bool
rally(struct side *s, unsigned int burst)
{
	struct meter *m = s->m;
	struct rally_court court = court_of(m, burst);
	uint64_t now_ns = rally_now_ns();

	if (s->index == 1)
		return rally_return(&court, now_ns + METER_GIVE_UP_NS);
	m->n_batches[burst] = rally_serve(&court, now_ns + METER_ENOUGH_NS,
		now_ns + METER_GIVE_UP_NS, m->batch_ns[burst]);
	return m->n_batches[burst] > 0;
}

static bool
is_home(const struct side *s)
{
	return sched_getcpu() == (int)s->cpu;
}

/* Awake in time, and on its own CPU: the burst itself. */
static bool
play(struct side *s, unsigned int burst, uint64_t at_ns)
{
	struct meter *m = s->m;
	struct rally_court court = court_of(m, burst);
	uint64_t before;

	s->displaced = !is_home(s);
	if (s->displaced)
		return false;
	if (s->index == 0)
		rally_clear(&court);
	before = grip_switches();
	return rally_meet(&m->meetings[burst], at_ns + METER_PATIENCE_NS) &&
	       rally(s, burst) && grip_switches() == before && is_home(s);
}

static void
sleep_until(uint64_t at_ns)
{
	struct timespec t = timespec_of(at_ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

/* Real-time from before the sleep, which is what wakes it up in time, until the burst
 * is over. Who was refused once does not ask again. */
static void
attend(struct side *s, unsigned int burst)
{
	uint64_t at_ns = s->m->start_ns + (uint64_t)burst * METER_PERIOD_NS;
	bool raised = false;

	if (!atomic_load(&s->m->refused)) {
		raised = grip_realtime(true) == 0;
		atomic_store(&s->m->refused, !raised);
	}
	sleep_until(at_ns);
	s->good[burst] =
		rally_now_ns() < at_ns + METER_PATIENCE_NS && play(s, burst, at_ns);
	if (raised && grip_realtime(false) < 0)
		abort(); /* cannot be refused; must not go on like this */
}

static void
visit(struct side *s)
{
	uint64_t before_us = grip_cpu_us();

	memset(s->good, 0, sizeof(s->good));
	s->displaced = !is_home(s);
	if (!s->displaced) {
		if (s->index == 0)
			*s->m->page = 0; /* the kernel takes a page near by */
		if (agree(s))
			for (unsigned int i = 0; i < METER_BURSTS && !s->displaced; i++)
				attend(s, i);
	}
	s->cpu_us = grip_cpu_us() - before_us;
}

static void *
run_side(void *arg)
{
	struct side *s = arg;

	grip_wake_promptly();
	s->tid = gettid();
	(void)sem_post(&s->m->done);
	for (;;) {
		wait_for(&s->go);
		if (s->m->ending)
			return NULL;
		visit(s);
		(void)sem_post(&s->m->done);
	}
}

static int
start_side(struct meter *m, unsigned int index)
{
	struct side *s = &m->sides[index];
	pthread_attr_t attr;
	sigset_t all;
	sigset_t before;
	int r;

	s->m = m;
	s->index = index;
	(void)sem_init(&s->go, 0, 0);
	(void)sem_init(&s->met, 0, 0);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, METER_STACK);
	/* signals are for the threads of others */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&s->thread, &attr, run_side, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	s->started = r == 0;
	if (s->started)
		wait_for(&m->done);
	return r;
}

int
meter_new(struct meter **out, struct err *e)
{
	struct meter *m = aligned_alloc(RALLY_LINE_BYTES, sizeof(*m));
	int r;

	if (m == NULL)
		return err_set(e, -ENOMEM, NULL, 0, "no memory to measure with");
	memset(m, 0, sizeof(*m));
	(void)sem_init(&m->done, 0, 0);
	m->page = mmap(NULL, METER_PAGE, PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; -1: of no file */
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = m->page == MAP_FAILED ? -errno : grip_allowed(0, &m->home);
	for (unsigned int i = 0; i < 2 && r == 0; i++)
		r = start_side(m, i);
	if (r < 0) {
		meter_free(m);
		return err_set(
			e, r, NULL, 0, "no threads to measure with: %s", strerror(-r));
	}
	*out = m;
	return 0;
}

/* Threads are moved while they sleep: one that moves itself interrupts whoever runs on
 * the CPU it leaves. Returns the side whose CPU has gone, or -1. */
static int
bind_sides(struct meter *m)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct cpuset cpu = cpuset_of(m->sides[i].cpu);

		if (grip_bind(m->sides[i].tid, &cpu) < 0)
			return (int)i;
	}
	return -1;
}

/* Off its CPU: with a mask that still has that CPU it would stay in the queue there,
 * until a CPU that idles fetches it. */
static void
call_back(const struct meter *m, const struct side *s)
{
	struct cpuset cpus = m->home;

	cpuset_remove(&cpus, s->cpu);
	(void)!grip_bind(s->tid, cpuset_empty(&cpus) ? &m->home : &cpus);
}

/* A CPU may be taken by others for good: then the thread is let go elsewhere, where it
 * sees that it was displaced. */
static void
wait_for_sides(struct meter *m, bool *called_back)
{
	for (unsigned int i = 0; i < 2; i++) {
		while (!wait_until(&m->done, rally_now_ns() + METER_STUCK_NS)) {
			*called_back = true;
			call_back(m, &m->sides[0]);
			call_back(m, &m->sides[1]);
		}
	}
}

/* The mask says whether a displaced thread has lost its CPU: the kernel widens the mask
 * of a thread whose CPU goes away. */
static bool
has_gone(const struct side *s)
{
	struct cpuset want = cpuset_of(s->cpu);
	struct cpuset is;

	return s->displaced && grip_allowed(s->tid, &is) == 0 &&
	       !cpuset_equal(&is, &want);
}

static void
set_gone(struct meter_visit *v, const struct side *s)
{
	v->outcome = METER_GONE;
	v->gone_cpu = s->cpu;
}

static void
conclude(struct meter *m, struct meter_visit *v)
{
	uint32_t all[METER_BURSTS * RALLY_BATCHES];
	size_t n = 0;

	v->bursts = METER_BURSTS;
	for (unsigned int i = 0; i < METER_BURSTS; i++) {
		if (!m->sides[0].good[i] || !m->sides[1].good[i]) {
			v->dropped++;
			continue;
		}
		memcpy(all + n, m->batch_ns[i], m->n_batches[i] * sizeof(all[0]));
		n += m->n_batches[i];
	}
	v->ns = estimate_one_way_ns(all, n, RALLY_ROUNDS);
	v->outcome = v->ns > 0 ? METER_OK : METER_DISTURBED;
}

static void
work(struct meter *m, struct meter_visit *v)
{
	bool called_back = false;
	int lost = bind_sides(m);

	if (lost >= 0) {
		set_gone(v, &m->sides[lost]);
		return;
	}
	/* another page each time: fresh homes for the lines */
	(void)madvise(m->page, METER_PAGE, MADV_DONTNEED);
	atomic_store(&m->appointment, NOBODY);
	for (unsigned int i = 0; i < METER_BURSTS; i++)
		atomic_store(&m->meetings[i], 0);
	(void)sem_post(&m->sides[0].go);
	(void)sem_post(&m->sides[1].go);
	wait_for_sides(m, &called_back);
	conclude(m, v);
	for (unsigned int i = 0; i < 2; i++) {
		v->cpu_us[i] = m->sides[i].cpu_us;
		if (!called_back && has_gone(&m->sides[i]))
			set_gone(v, &m->sides[i]);
	}
}

void
meter_visit(struct meter *m, unsigned int cpu_a, unsigned int cpu_b,
	struct meter_visit *out)
{
	uint64_t before_ns = rally_now_ns();
	struct meter_visit v = {.outcome = METER_DISTURBED};

	m->sides[0].cpu = cpu_a;
	m->sides[1].cpu = cpu_b;
	work(m, &v);
	v.wall_us = (rally_now_ns() - before_ns) / 1000u;
	*out = v;
}

bool
meter_lacks_realtime(const struct meter *m)
{
	return atomic_load(&m->refused);
}

void
meter_free(struct meter *m)
{
	if (m == NULL)
		return;
	m->ending = true;
	for (unsigned int i = 0; i < 2; i++) {
		struct side *s = &m->sides[i];

		if (!s->started)
			continue;
		(void)sem_post(&s->go);
		(void)pthread_join(s->thread, NULL);
		(void)sem_destroy(&s->go);
		(void)sem_destroy(&s->met);
	}
	(void)sem_destroy(&m->done);
	if (m->page != MAP_FAILED)
		(void)munmap(m->page, METER_PAGE);
	free(m);
}
