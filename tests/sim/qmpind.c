// SPDX-License-Identifier: MIT
/* Start and end of the daemon, and the host's events for it. */
#include "config.h"

#include "qmpind.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/leftovers.h"
#include "daemon/memory.h"
#include "daemon/probing.h"
#include "loop.h"
#include "seam.h"

#define HOST_SETTLE_US 100000u

/* Nothing is measured here, and what does that is not linked: it wants more of libevent
 * than loop.c has. */
void
probing_configured(struct probing *p)
{
	(void)p;
}

static struct hostmodel
make_host(const struct model *m)
{
	struct cpuset offline = cpuset_minus(&m->whole.topo->online, &m->online);
	struct cpuset none = CPUSET_NONE;
	struct host h = host_make(m->spec, &offline, &none);

	return (struct hostmodel){
		.topo = h.topo, .latency_ns = h.ns, .ranking = h.ranking};
}

static void
on_host_settled(evutil_socket_t fd, short what, void *arg)
{
	struct qmpind *d = arg;
	struct hostmodel host = make_host(d->model);

	(void)fd;
	(void)what;
	engine_replace_host(d->engine, &host);
}

static void
on_model_cpus(void *owner)
{
	struct qmpind *d = owner;

	loop_after(d->host_settle, HOST_SETTLE_US);
}

static bool
on_engine_audit(void *owner)
{
	const struct qmpind *d = owner;

	return !evtimer_pending(d->host_settle, NULL);
}

static void
on_engine_change(void *owner)
{
	(void)owner;
}

static struct settings
make_settings(const struct qmpind *d)
{
	const struct model *m = d->model;
	struct strbuf text = {0};
	struct settings config;
	struct err e = ERR_NONE;
	char cpus[CPUSET_TEXT_MAX];

	strbuf_addf(&text, "[qmpin]\naudit_interval_ms = %u\n", d->audit_ms);
	strbuf_addf(&text, "reserved_cpus = %s\n",
		cpuset_format(&m->reserved, cpus, sizeof(cpus)));
	for (unsigned int i = 0; i < m->n_guests; i++) {
		if (m->guests[i].mode != PLACE_AUTO)
			strbuf_addf(&text, "[vm %s]\nmode = %s\n", m->guests[i].id,
				place_mode_name(m->guests[i].mode));
	}
	settings_init(&config);
	if (settings_parse(&config, strbuf_text(&text), text.len, "sim",
		    SETTINGS_ORIGIN_CONFIG, &e) < 0) {
		(void)fprintf(stderr, "sim: line %u: %s\n", e.line, e.text);
		abort();
	}
	strbuf_fini(&text);
	return config;
}

void
qmpind_start(struct qmpind *d)
{
	struct engine_options options = {.base = d->model->base,
		.clock = loop_clock(d->model->base),
		.procfd = -1,
		.cgroupfd = MODEL_FD,
		.on_change = on_engine_change,
		.on_audit = on_engine_audit,
		.owner = d};
	struct settings config = make_settings(d);
	struct hostmodel host = make_host(d->model);

	d->run_dirfd = open(d->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options.run_dirfd = d->run_dirfd;
	(void)leftovers_sweep(-1, d->run_dirfd);
	d->engine = engine_new(&options, &config, &host);
	d->engine->look_ms = 0; /* the model has no /proc: audits list threads */
	d->watch = watch_new(d->engine, "/run/qemu-server");
	d->memory = memory_new(d->engine, "/nonexistent", false);
	d->engine->memory = d->memory;
	d->host_settle = evtimer_new(d->model->base, on_host_settled, d);
	d->model->on_cpus = on_model_cpus;
	d->model->owner = d;
	d->judge->engine = d->engine;
	watch_start(d->watch);
}

void
qmpind_stop(struct qmpind *d)
{
	d->judge->engine = NULL;
	d->model->on_cpus = NULL;
	if (seam()->dead)
		d->engine->run_dirfd = -1;
	watch_free(d->watch);
	engine_free(d->engine);
	memory_free(d->memory);
	event_free(d->host_settle);
	close(d->run_dirfd);
	d->engine = NULL;
}
