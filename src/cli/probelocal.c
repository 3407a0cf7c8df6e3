// SPDX-License-Identifier: MIT
/*
 * qmpin-probe as a child: started, listened to, ended. It hands over better and better
 * results; only the last one is read.
 */
#include "config.h"

#include "cli/probelocal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/lathost.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "host/hostid.h"
#include "host/load.h"
#include "probe/cache.h"
#include "probe/child.h"
#include "probe/wire.h"

/* Of the CPUs, as many may be at work at a time: the default of the daemon too. */
#define CPUS_PCT 12u

/* Beyond its budget, for the way there and back; and after it was told to stop, for
 * what it has in hand. */
#define GRACE_US (10 * UINT64_C(1000000))
#define LAST_WORDS_US (2 * UINT64_C(1000000))

struct run {
	struct child child;
	struct wire wire;
	struct progress bar;
	struct strbuf result; /* the last one */
	uint64_t deadline_us;
	bool stopping; /* its input is closed */
	bool ended;    /* it has said its last word */
	int status;
	struct err *e;
};

static void
take_progress(struct run *run, const struct wire_message *m)
{
	auto_free char *text = xasprintf("%u of %u pairs, %s", m->pairs, m->pairs_total,
		m->text != NULL ? m->text : "");

	progress_show(&run->bar, m->visits, m->visits_total, text);
}

static void
take_note(struct run *run, const struct wire_message *m)
{
	auto_free char *safe = out_safe(m->text);

	progress_erase(&run->bar);
	out_note("%s", safe);
}

static int
take_message(struct run *run, const struct wire_message *m)
{
	switch (m->kind) {
	case WIRE_PROGRESS:
		take_progress(run, m);
		return 0;
	case WIRE_NOTE:
		take_note(run, m);
		return 0;
	case WIRE_RESULT:
		strbuf_drop(&run->result, run->result.len);
		strbuf_add(&run->result, m->text, m->len);
		return 0;
	case WIRE_DONE:
		run->ended = true;
		return 0;
	case WIRE_FAILED:
		run->ended = true;
		return err_set(run->e, -EIO, NULL, 0, "cannot measure: %s", m->text);
	default:
		return err_set(run->e, -EPROTO, NULL, 0,
			"qmpin-probe says what only we may say");
	}
}

/* Returns 0 or a negative errno. */
static int
take_messages(struct run *run)
{
	struct wire_message m;
	int r;

	while ((r = wire_next(&run->wire, &m, run->e)) > 0 && !run->ended) {
		r = take_message(run, &m);
		if (r < 0)
			return r;
	}
	return r;
}

/* Returns 0 or a negative errno: also at the end of its output, which is too early. */
static int
read_child(struct run *run, const struct stop *stop)
{
	char chunk[65536];
	ssize_t n = read(run->child.out, chunk, sizeof(chunk));
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 && (run->stopping || stop_is_wanted(stop))) {
		/* as it was told; Ctrl-C may have reached it directly */
		run->ended = true;
		run->status = run->stopping ? run->status : -ECANCELED;
		return 0;
	}
	if (n <= 0)
		return err_set(run->e, n < 0 ? -errno : -EPIPE, NULL, 0,
			"qmpin-probe ended before it was done");
	r = wire_feed(&run->wire, chunk, (size_t)n);
	if (r < 0)
		return err_set(run->e, r, NULL, 0, "qmpin-probe says too much");
	return take_messages(run);
}

/* From now on it has little time left. */
static void
tell_to_stop(struct run *run, int status)
{
	(void)close(run->child.in);
	run->child.in = -1;
	run->stopping = true;
	run->status = status;
	run->deadline_us = clock_now_us(clock_system()) + LAST_WORDS_US;
}

/* Wait for the child, the user or the deadline, and do what is to be done. Returns 0 to
 * go on or a negative errno. */
static int
step(struct run *run, const struct stop *stop)
{
	uint64_t now_us = clock_now_us(clock_system());
	struct pollfd p[] = {
		{.fd = run->child.out, .events = POLLIN},
		{.fd = run->stopping ? -1 : stop->fd, .events = POLLIN},
	};
	int n;

	if (now_us >= run->deadline_us && run->stopping) {
		run->ended = true; /* it will be killed */
		return 0;
	}
	if (now_us >= run->deadline_us) {
		tell_to_stop(run, 0);
		return 0;
	}
	n = poll(p, ARRAY_LEN(p), (int)((run->deadline_us - now_us) / 1000 + 1));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[1].revents != 0)
		tell_to_stop(run, -ECANCELED);
	return p[0].revents != 0 ? read_child(run, stop) : 0;
}

/* The child may have gone already: what went wrong is on its other pipe. */
static void
say_go(int fd)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction before;
	struct strbuf b = {0};
	ssize_t n;

	wire_put(&b, &(struct wire_message){.kind = WIRE_GO});
	(void)sigaction(SIGPIPE, &ignore, &before);
	n = write(fd, b.s, b.len);
	(void)n;
	(void)sigaction(SIGPIPE, &before, NULL);
	strbuf_fini(&b);
}

static int
listen_to_child(struct run *run, const struct stop *stop)
{
	int r = 0;

	say_go(run->child.in);
	while (r == 0 && !run->ended)
		r = step(run, stop);
	return r < 0 ? r : run->status;
}

/* The result, for @cpus of the host or what it has of them. */
static int
finish(const struct run *run, const struct topo *host, struct latsource *out,
	struct err *e)
{
	struct hostid id = {.fingerprint = ""};
	struct cache c;
	struct cpuset cpus;
	struct err why = ERR_NONE;
	int r = cache_parse(run->result.s, run->result.len, "qmpin-probe", &c, &why);

	if (r < 0)
		return err_set(
			e, r, NULL, 0, "the result of qmpin-probe: %s", why.text);
	cpus = matrix_cpus(c.matrix);
	cpus = cpuset_and(&cpus, &host->online);
	if (cpuset_empty(&cpus)) {
		cache_fini(&c);
		return err_set(e, -ENODEV, NULL, 0,
			"the CPUs that were measured are offline now");
	}
	latsource_rank(lathost_part(host, &cpus), c.matrix, "measured", out);
	cache_fini(&c);
	out->latency.measured_us = clock_real_us(clock_system());
	if (hostid_read(NULL, &id, NULL) < 0)
		return 0;
	str_copy(out->latency.fingerprint, sizeof(out->latency.fingerprint),
		id.fingerprint);
	if (id.virtual)
		latsource_distrust(out, "the host is itself a virtual machine");
	return 0;
}

static int
measure(const struct args *args, const struct stop *stop, struct run *run)
{
	double budget_s = args->budget_s > 0 ? args->budget_s : PROBELOCAL_BUDGET_S;
	const struct child_options o = {
		.cpus = args->cpus,
		.cold_s = budget_s,
		.budget_s = budget_s,
		.cpus_pct = CPUS_PCT,
		.exhaustive = args->exhaustive,
	};
	int r = child_start(&o, &run->child, run->e);

	if (r < 0)
		return r;
	run->deadline_us =
		clock_now_us(clock_system()) + (uint64_t)(budget_s * 1e6) + GRACE_US;
	wire_init(&run->wire);
	r = listen_to_child(run, stop);
	child_stop(&run->child);
	wire_fini(&run->wire);
	progress_erase(&run->bar);
	return r;
}

int
probelocal_run(const struct args *args, const struct stop *stop, struct latsource *out,
	bool *found, struct err *e)
{
	struct run run = {.e = e};
	struct topo *host;
	int r = host_load(NULL, &host, e);

	*found = false;
	if (r < 0)
		return r;
	r = measure(args, stop, &run);
	if (run.result.len > 0) {
		int parsed = finish(&run, host, out, e);

		*found = parsed == 0;
		r = r == 0 ? parsed : r;
	} else if (r == 0) {
		r = err_set(e, -ENODATA, NULL, 0, "nothing could be measured");
	}
	strbuf_fini(&run.result);
	topo_free(host);
	return r;
}
