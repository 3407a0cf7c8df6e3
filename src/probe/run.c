// SPDX-License-Identifier: MIT
/*
 * One thread waits, decides and talks; the crew's threads measure. A visit that is over
 * makes room for the next; who has worked rests (probe/pace.h). Nothing is queued for a
 * reader that has not taken what there is, so a slow one costs neither memory nor time.
 */
#include "config.h"

#include "probe/run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/hostid.h"
#include "host/load.h"
#include "probe/cache.h"
#include "probe/crew.h"
#include "probe/grip.h"
#include "probe/pace.h"
#include "probe/rally.h"
#include "probe/schedule.h"
#include "probe/talk.h"
#include "probe/usable.h"

#define RUN_PROGRESS_US 200000u
/* The first result after a second, the others at growing distances. */
#define RUN_RESULT_US 1000000u
#define RUN_RESULT_MOST_US 60000000u
/* Rounds begin no faster: samples of one moment are alike, and on a small host a round
 * is over in a millisecond. */
#define RUN_ROUND_US 150000u
/* Of the thread that decides: matrices and texts of many CPUs take time. */
#define RUN_NICE 10

struct run {
	const struct probeargs *args;
	struct talk talk;
	struct topo *topo;
	struct hostid host;
	struct cpuset cpus;
	struct cpuset avoid;
	struct cpuset gone;
	struct matrix *known;
	struct schedule *schedule;
	struct pace *pace;
	struct crew *crew;
	uint64_t begun_us;
	unsigned int round;   /* that pairs are handed out of */
	uint64_t round_us;    /* when the next one may begin */
	uint64_t progress_us; /* when the next may be said */
	uint64_t result_us;   /* when the next is due */
	uint64_t result_gap_us;
	enum schedule_phase phase; /* of the last result */
	unsigned int visits;	   /* in it */
	bool told_realtime;
};

static uint64_t
now_us(void)
{
	return rally_now_ns() / 1000u;
}

static int
prepare(struct run *r, struct err *e)
{
	const struct cpuset *asked = r->args->cpus_given ? &r->args->cpus : NULL;
	struct cpuset allowed;
	struct usable usable = {0};
	int status = host_load(NULL, &r->topo, e);

	if (status == 0)
		status = hostid_read(NULL, &r->host, e);
	if (status == 0 && grip_allowed(0, &allowed) < 0)
		status = err_set(e, -errno, NULL, 0,
			"cannot tell which CPUs are allowed: %s", strerror(errno));
	if (status == 0)
		status = usable_choose(asked, &r->topo->online, &allowed, &usable, e);
	if (status < 0)
		return status;
	r->cpus = usable.cpus;
	if (usable.note[0] != '\0')
		talk_sayf(&r->talk, WIRE_NOTE, "%s", usable.note);
	return 0;
}

/* Earlier results; those of another host, or broken ones, are not used. */
static void
take_known(struct run *r, const struct wire_message *m)
{
	struct err e = ERR_NONE;
	struct cache c;
	int status;

	if (r->schedule != NULL)
		return;
	status = cache_parse(m->text, m->len, "earlier results", &c, &e);
	if (status == 0) {
		status = cache_check(
			&c, r->host.fingerprint, r->topo, "earlier results", &e);
		if (status == 0) {
			matrix_free(r->known);
			r->known = c.matrix;
			c.matrix = NULL;
		}
		cache_fini(&c);
	}
	if (status < 0)
		talk_sayf(&r->talk, WIRE_NOTE, "earlier results are not used: %s",
			e.text);
}

static int
obey(struct run *r, const struct wire_message *m, bool *go)
{
	switch (m->kind) {
	case WIRE_KNOWN:
		take_known(r, m);
		return 0;
	case WIRE_AVOID:
		return cpuset_parse(m->text, &r->avoid) < 0 ? -EPROTO : 0;
	case WIRE_GO:
		*go = true;
		return 0;
	default:
		return -EPROTO;
	}
}

/* The parent has said something. */
static int
listen_to(struct run *r, bool *go, struct err *e)
{
	struct wire_message m;
	int status = talk_read(&r->talk);
	int more = 0;

	if (status == -EPIPE)
		_exit(0); /* told to stop: at once */
	while (status == 0 && (more = wire_next(&r->talk.wire, &m, e)) > 0)
		status = obey(r, &m, go);
	if (status == 0)
		status = more;
	if (status < 0)
		return err_set(e, status, NULL, 0,
			"the parent says something else than was agreed upon");
	return 0;
}

/* Sleep until something happens, but not beyond @until_us. */
static int
wait_for_news(struct run *r, uint64_t until_us, bool *go, struct err *e)
{
	uint64_t now = now_us();
	uint64_t left_us = until_us > now ? until_us - now : 0;
	struct timespec t = {.tv_sec = (time_t)(left_us / 1000000u),
		.tv_nsec = (long)(left_us % 1000000u * 1000u)};
	struct pollfd fds[] = {
		{.fd = r->talk.in, .events = POLLIN},
		{.fd = talk_is_idle(&r->talk) ? -1 : r->talk.out, .events = POLLOUT},
		{.fd = r->crew != NULL ? crew_fd(r->crew) : -1, .events = POLLIN},
	};
	int n = ppoll(fds, ARRAY_LEN(fds), until_us == UINT64_MAX ? NULL : &t, NULL);

	if (n < 0)
		return errno == EINTR ? 0
				      : err_set(e, -errno, NULL, 0, "cannot wait: %s",
						strerror(errno));
	if (fds[0].revents != 0 && listen_to(r, go, e) < 0)
		return -EPROTO;
	if (fds[1].revents != 0 && talk_write(&r->talk) < 0)
		_exit(1); /* nobody listens any more */
	return 0;
}

static unsigned int
pairs_at_a_time(const struct run *r)
{
	unsigned int pairs = cpuset_count(&r->cpus) * r->args->cpus_pct / 200u;

	if (pairs > CREW_PAIRS_MAX)
		return CREW_PAIRS_MAX;
	return pairs > 0 ? pairs : 1;
}

static int
begin(struct run *r, struct err *e)
{
	const struct schedule_options o = {.topo = r->topo,
		.cpus = r->cpus,
		.known = r->known,
		.exhaustive = r->args->exhaustive};
	int status = crew_new(pairs_at_a_time(r), &r->crew, e);

	if (status < 0)
		return status;
	/* the crew has the priority we came with; a refusal does not matter */
	(void)setpriority(PRIO_PROCESS, 0, RUN_NICE);
	r->schedule = schedule_new(&o);
	r->begun_us = now_us();
	r->pace = pace_new(&r->cpus, r->args->cold_s, r->begun_us);
	r->result_gap_us = RUN_RESULT_US;
	r->result_us = r->begun_us + RUN_RESULT_US;
	return 0;
}

static void
say_result(struct run *r, const struct schedule_progress *p)
{
	struct wire_message m = {.kind = WIRE_RESULT};
	struct cache c = {.measured_s = (uint64_t)time(NULL)};
	auto_free char *text = NULL;

	str_copy(c.fingerprint, sizeof(c.fingerprint), r->host.fingerprint);
	str_copy(c.host, sizeof(c.host), r->host.text);
	c.matrix = schedule_matrix(r->schedule);
	cache_set_places(&c, r->topo);
	text = cache_format(&c, &m.len);
	m.text = text;
	talk_say(&r->talk, &m);
	r->phase = p->phase;
	r->visits = p->visits;
	cache_fini(&c);
}

static void
say_progress(struct run *r, const struct schedule_progress *p)
{
	static const char *const texts[] = {
		[SCHEDULE_REPRESENTATIVES] = "one pair of each kind",
		[SCHEDULE_VERIFY] = "more pairs of each kind",
		[SCHEDULE_REFINE] = "kinds whose pairs differ",
		[SCHEDULE_DONE] = "all is known",
	};
	const char *text = texts[p->phase];
	const struct wire_message m = {.kind = WIRE_PROGRESS,
		.visits = p->visits,
		.visits_total = p->visits_total,
		.pairs = p->pairs,
		.pairs_total = p->pairs_total,
		.text = text,
		.len = strlen(text)};

	talk_say(&r->talk, &m);
}

/* What is due now, if the reader has taken what was said before. */
static void
say_news(struct run *r)
{
	uint64_t now = now_us();
	struct schedule_progress p;

	/* to count what there is takes longer than a visit, of a thousand CPUs */
	if (!talk_is_idle(&r->talk) || (now < r->progress_us && now < r->result_us))
		return;
	schedule_progress(r->schedule, &p);
	if (now >= r->progress_us) {
		r->progress_us = now + RUN_PROGRESS_US;
		say_progress(r, &p);
	}
	if (p.pairs == 0 || (now < r->result_us && p.phase == r->phase))
		return;
	r->result_us = now + r->result_gap_us;
	if (r->result_gap_us < RUN_RESULT_MOST_US)
		r->result_gap_us *= 2;
	say_result(r, &p);
}

static void
lose_cpu(struct run *r, unsigned int cpu)
{
	if (!cpuset_has(&r->gone, cpu))
		talk_sayf(&r->talk, WIRE_NOTE,
			"CPU %u has gone offline or is no longer allowed: left out",
			cpu);
	cpuset_add(&r->gone, cpu);
	schedule_drop_cpu(r->schedule, cpu);
}

static void
take_reports(struct run *r)
{
	struct crew_report report;

	while (crew_take(r->crew, &report)) {
		const struct meter_visit *v = &report.visit;
		uint64_t now = now_us();

		pace_spend(
			r->pace, report.cpu_a, v->cpu_us[0] + METER_SWITCHING_US, now);
		pace_spend(
			r->pace, report.cpu_b, v->cpu_us[1] + METER_SWITCHING_US, now);
		schedule_result(r->schedule, report.cpu_a, report.cpu_b,
			v->outcome == METER_OK ? v->ns : 0);
		if (v->outcome == METER_GONE)
			lose_cpu(r, v->gone_cpu);
	}
	if (!r->told_realtime && crew_lacks_realtime(r->crew)) {
		r->told_realtime = true;
		talk_sayf(&r->talk, WIRE_NOTE,
			"no permission for real-time priority: busy CPUs take longer");
	}
}

/* The schedule is in a new round before its time. */
static bool
is_early(struct run *r)
{
	unsigned int round = schedule_rounds(r->schedule);
	uint64_t now = now_us();

	if (round == r->round)
		return false;
	if (now < r->round_us)
		return true;
	r->round = round;
	r->round_us = now + RUN_ROUND_US;
	return false;
}

/* Returns when to look again at the latest; 0: there is nothing left to do. */
static uint64_t
hand_out(struct run *r)
{
	unsigned int a;
	unsigned int b;
	uint64_t next;

	while (!crew_is_full(r->crew)) {
		if (is_early(r))
			return r->round_us;
		struct cpuset busy = crew_cpus(r->crew);
		struct cpuset resting = pace_resting(r->pace, now_us());

		busy = cpuset_or(&busy, &resting);
		if (!schedule_next(r->schedule, &busy, &r->avoid, &a, &b) ||
			!crew_start(r->crew, a, b))
			break;
	}
	next = pace_next_us(r->pace, now_us());
	if (crew_at_work(r->crew) > 0)
		return next;
	/* with nobody at work and nobody at rest, nothing will ever change */
	return schedule_done(r->schedule) || next == UINT64_MAX ? 0 : next;
}

static int
measure(struct run *r, struct err *e)
{
	double budget_s = r->args->budget_s;
	uint64_t end_us =
		budget_s > 0 ? r->begun_us + (uint64_t)(budget_s * 1e6) : UINT64_MAX;
	bool go = true;
	int status = 0;

	while (status == 0 && now_us() < end_us) {
		uint64_t next_us = hand_out(r);

		if (next_us == 0)
			break;
		next_us = next_us < end_us ? next_us : end_us;
		status = wait_for_news(r, next_us, &go, e);
		take_reports(r);
		say_news(r);
	}
	return status;
}

static int
work(struct run *r, struct err *e)
{
	struct schedule_progress p;
	bool go = false;
	int status = prepare(r, e);

	while (status == 0 && !go)
		status = wait_for_news(r, UINT64_MAX, &go, e);
	if (status == 0)
		status = begin(r, e);
	if (status == 0)
		status = measure(r, e);
	if (status < 0)
		return status;
	schedule_progress(r->schedule, &p);
	say_progress(r, &p);
	if (r->visits != p.visits || p.visits == 0)
		say_result(r, &p);
	talk_sayf(&r->talk, WIRE_DONE, "%s", "");
	return 0;
}

static void
fini(struct run *r)
{
	crew_free(r->crew);
	pace_free(r->pace);
	schedule_free(r->schedule);
	matrix_free(r->known);
	topo_free(r->topo);
	talk_fini(&r->talk);
}

int
run_probe(const struct probeargs *args, int in, int out)
{
	struct run r = {.args = args};
	struct err e = ERR_NONE;
	char text[sizeof(e.source) + sizeof(e.text) + 32];
	int status;

	talk_init(&r.talk, in, out);
	status = talk_end_with_parent(&r.talk);
	if (status < 0)
		(void)err_set(&e, status, NULL, 0, "no thread: %s", strerror(-status));
	else
		status = work(&r, &e);
	if (status < 0)
		talk_sayf(
			&r.talk, WIRE_FAILED, "%s", err_format(&e, text, sizeof(text)));
	if (talk_flush(&r.talk) < 0)
		status = -EPIPE;
	fini(&r);
	return status < 0 ? 1 : 0;
}
