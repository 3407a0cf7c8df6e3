// SPDX-License-Identifier: MIT
/* A lab for measuring: the host, the program, and waiting for what becomes of it. */
#include "config.h"

#include "probelab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "hosts.h"
#include "probe/cachefile.h"
#include "probe/child.h"
#include "procs.h"

#define LIMIT_MS 20000u

/* ---- the program ---- */

void
probelab_write_file(
	const struct probelab *l, const char *name, const char *bytes, size_t len)
{
	auto_free char *path = xasprintf("%s/%s", l->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* New text, "" when there is no such file. */
char *
probelab_read_file(const struct probelab *l, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", l->dir, name);
	FILE *f = fopen(path, "r");
	struct strbuf text = {0};
	char chunk[4096];
	size_t n;

	while (f != NULL && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&text, chunk, n);
	if (f != NULL)
		(void)fclose(f);
	return strbuf_take(&text);
}

/* Says what is in the file "say"; then ends or, with a file "stay", listens on. */
static void
write_program(const struct probelab *l)
{
	auto_free char *path = xasprintf("%s/program", l->dir);
	auto_free char *text = xasprintf("#!/bin/sh\n"
					 "cd '%s' || exit 1\n"
					 "echo \"$*\" >>started\n"
					 "cat say\n"
					 "[ -e stay ] || exit 3\n"
					 "exec cat 3>&1 >heard\n",
		l->dir);

	probelab_write_file(l, "program", text, strlen(text));
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(setenv(CHILD_PROGRAM_ENV, path, 1), 0);
}

unsigned int
probelab_n_started(const struct probelab *l)
{
	auto_free char *text = probelab_read_file(l, "started");
	unsigned int n = 0;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

/* ---- what it measures ---- */

/* The class model's values times @factor (0: all alike); with @swapped, CPUs of each
 * two L3 groups of a node are near each other crosswise. */
struct matrix *
probelab_make_matrix(const struct topo *t, const struct cpuset *cpus, float factor,
	bool swapped, unsigned int visits)
{
	struct matrix *m = matrix_new(cpus);

	for (unsigned int i = 0; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			unsigned int a = (unsigned int)t->pu_of_cpu[m->cpus[i]];
			unsigned int b = (unsigned int)t->pu_of_cpu[m->cpus[j]];
			float ns = lat_class_ns(t, lat_classes_default(), a, b);

			if (swapped && t->pus[a].node == t->pus[b].node &&
				t->pus[a].core != t->pus[b].core)
				ns = (t->pus[a].core & 1) == (t->pus[b].core & 1) ? 25
										  : 95;
			*matrix_at(m, i, j) = (struct matrix_cell){
				factor > 0 ? ns * factor : 50, (uint8_t)visits, 95};
		}
	}
	return m;
}

char *
probelab_make_text(const struct probelab *l, struct matrix *m, const char *fingerprint,
	size_t *len)
{
	struct cache c = {.host = "a host", .measured_s = 1, .matrix = m};
	char *text;

	str_copy(c.fingerprint, sizeof(c.fingerprint), fingerprint);
	cache_set_places(&c, l->engine->host.topo);
	text = cache_format(&c, len);
	cache_fini(&c);
	return text;
}

/* What the next program says: some words, a result (NULL: none), some words. */
void
probelab_let_say(const struct probelab *l, const char *before, struct matrix *m,
	const char *after)
{
	auto_free char *heard = xasprintf("%s/heard", l->dir);
	struct strbuf say = {0};

	(void)unlink(heard); /* by one before it */
	strbuf_adds(&say, before);
	if (m != NULL) {
		size_t len;
		auto_free char *text =
			probelab_make_text(l, m, PROBELAB_FINGERPRINT, &len);

		strbuf_addf(&say, "result %zu\n", len);
		strbuf_add(&say, text, len);
	}
	strbuf_adds(&say, after);
	probelab_write_file(l, "say", strbuf_text(&say), say.len);
	strbuf_fini(&say);
}

struct matrix *
probelab_good(const struct probelab *l)
{
	const struct topo *t = l->engine->host.topo;

	return probelab_make_matrix(t, &t->online, 1, false, 8);
}

/* ---- the lab ---- */

struct hostmodel
probelab_make_host(const struct cpuset *offline)
{
	struct host made = host_make(&host_9354, offline, &CPUSET_NONE);
	struct hostmodel h = {.topo = made.topo,
		.latency_ns = made.ns,
		.ranking = made.ranking,
		.id = {.text = "a host"}};

	str_copy(h.id.fingerprint, sizeof(h.id.fingerprint), PROBELAB_FINGERPRINT);
	return h;
}

static void
on_change(void *owner)
{
	(void)owner;
}

static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

int
probelab_set_up(void **state)
{
	struct probelab *l = xcalloc(1, sizeof(*l));
	struct engine_options o = {.clock = clock_system(),
		.procfd = -1,
		.run_dirfd = -1,
		.cgroupfd = -1,
		.on_change = on_change};
	struct settings config;
	struct hostmodel host = probelab_make_host(&CPUSET_NONE);

	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon */
	*state = l;
	l->dir = procs_make_dir();
	l->state_dir = xasprintf("%s/state", l->dir);
	o.base = l->base = event_base_new();
	settings_init(&config);
	log_open(LOG_TO_STDERR, LOG_INFO);
	logcatch_init(&l->log);
	l->engine = engine_new(&o, &config, &host);
	event_del(l->engine->audit);
	event_del(l->engine->adoption);
	write_program(l);
	probelab_write_file(l, "stay", "", 0);
	probelab_let_say(l, "", NULL, "");
	return 0;
}

int
probelab_tear_down(void **state)
{
	struct probelab *l = *state;

	probing_free(l->probing);
	engine_free(l->engine);
	event_base_free(l->base);
	logcatch_fini(&l->log);
	procs_remove_dir(l->dir);
	free(l->state_dir);
	free(l);
	return 0;
}

void
probelab_start(struct probelab *l)
{
	struct probing_options o = {
		.engine = l->engine, .state_dir = l->state_dir, .foreign = l->foreign};

	l->engine->probing = l->probing = probing_new(&o);
	probing_start(l->probing);
}

void
probelab_stop(struct probelab *l)
{
	probing_free(l->probing);
	l->engine->probing = l->probing = NULL;
}

/* As another daemon would find it. */
void
probelab_start_again(struct probelab *l)
{
	struct hostmodel host = probelab_make_host(&CPUSET_NONE);

	probelab_stop(l);
	hostmodel_fini(&l->engine->host);
	l->engine->host = host;
	logcatch_forget(&l->log);
	probelab_start(l);
}

/* Run the loop until @holds; fails the test after some seconds. */
void
probelab_until(struct probelab *l, bool (*holds)(struct probelab *l, const char *arg),
	const char *arg)
{
	const struct timeval tick_every = {.tv_usec = 5000};
	struct event *tick = event_new(l->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t end = clock_now_us(clock_system()) / 1000 + LIMIT_MS;

	event_add(tick, &tick_every);
	while (!holds(l, arg)) {
		if (clock_now_us(clock_system()) / 1000 > end)
			fail_msg("not within %u ms: %s", LIMIT_MS, arg);
		event_base_loop(l->base, EVLOOP_ONCE);
	}
	event_free(tick);
}

bool
probelab_is_said(struct probelab *l, const char *text)
{
	return logcatch_count(&l->log, text) > 0;
}

bool
probelab_is_state(struct probelab *l, const char *state)
{
	return str_equal(probing_state(l->probing), state);
}

bool
probelab_is_saved(struct probelab *l, const char *arg)
{
	auto_free char *path =
		xasprintf("%s/latency-" PROBELAB_FINGERPRINT, l->state_dir);

	(void)arg;
	return access(path, F_OK) == 0;
}

/* The program has been told this. */
bool
probelab_is_heard(struct probelab *l, const char *text)
{
	auto_free char *heard = probelab_read_file(l, "heard");

	return strstr(heard, text) != NULL;
}

bool
probelab_has_started(struct probelab *l, const char *arg)
{
	return probelab_n_started(l) >= (unsigned int)atoi(arg);
}

bool
probelab_has_ended(struct probelab *l, const char *arg)
{
	(void)arg;
	return l->n_ends > 0;
}

void
probelab_check_said_once(const struct probelab *l, const char *text)
{
	if (logcatch_count(&l->log, text) != 1)
		fail_msg("said %u times: %s", logcatch_count(&l->log, text), text);
}
