// SPDX-License-Identifier: MIT
/* The daemon's engine on this machine's own CPUs. */
#include "config.h"

#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "procs.h"

/* Far beyond what anything here takes, also under sanitizers on a busy machine. */
#define LIMIT_MS 20000u

#define AUDIT_MS 2000u

static uint64_t
virtual_us(const struct clock *c)
{
	struct stage_clock *s = ((const struct stage_clock *)c)->self;

	s->now_us += s->step_us;
	return s->now_us;
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

/* Two CPUs that this process may use; false: there is only one. */
static bool
find_cpus(struct stage *s)
{
	struct cpuset may = standin_mask(getpid());
	unsigned int first = cpuset_next(&may, 0);
	unsigned int second = cpuset_next(&may, first + 1);

	if (second >= CPUSET_CAP)
		return false;
	s->first = cpuset_of(first);
	s->second = cpuset_of(second);
	s->all = cpuset_or(&s->first, &s->second);
	return true;
}

static char *
make_dir_in(const char *folder, const char *name)
{
	char *dir = xasprintf("%s/%s", folder, name);

	assert_int_equal(mkdir(dir, 0755), 0);
	return dir;
}

int
stage_setup(void **state)
{
	struct stage *s = xcalloc(1, sizeof(*s));

	*state = s;
	if (!find_cpus(s))
		return 0;
	/* threads of other CPUs would only be a wider limit */
	standin_set_mask(getpid(), &s->all);
	s->clock = (struct stage_clock){
		{virtual_us, virtual_us}, UINT64_C(1000000000), 0, &s->clock};
	s->base = event_base_new();
	assert_non_null(s->base);
	s->folder = procs_make_dir();
	s->vm_dir = make_dir_in(s->folder, "vm");
	s->run_dir = make_dir_in(s->folder, "run");
	s->procfd = procs_open_proc();
	s->run_dirfd = open(s->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->cgroupfd = -1;
	settings_init(&s->config);
	s->config.adopt = SETTINGS_ADOPT_NOW;
	s->config.settle_ms = 1;
	s->config.reserved_cpus = s->second;
	log_open(LOG_TO_STDERR, LOG_INFO);
	logcatch_init(&s->log);
	return 0;
}

int
stage_teardown(void **state)
{
	struct stage *s = *state;

	if (s->base != NULL) {
		stage_stop(s);
		for (size_t i = 0; i < STAGE_VMS_MAX; i++)
			standin_fini(&s->vms[i]);
		logcatch_fini(&s->log);
		event_base_free(s->base);
		close(s->procfd);
		close(s->run_dirfd);
		if (s->cgroupfd >= 0)
			close(s->cgroupfd);
		procs_remove_dir(s->folder);
		free(s->vm_dir);
		free(s->run_dir);
		settings_fini(&s->config);
	}
	free(s);
	return 0;
}

struct stage *
stage_of(void **state)
{
	struct stage *s = *state;

	if (s->base == NULL) {
		print_message("needs two CPUs, may use only one\n");
		skip();
	}
	return s;
}

/* The two CPUs as a host: two cores that share nothing, or (s->apart) two L3 groups,
 * each with another core that only the model has. */
static struct hostmodel
make_host(const struct stage *s)
{
	struct topo_cpu_facts cpus[4];
	struct topo_facts facts = {.cpus = cpus,
		.isolated = cpuset_or(&s->isolcpus, &s->nohz_full),
		.isolcpus = s->isolcpus};
	struct hostmodel h = {0};
	struct lat_view view;
	struct err e = ERR_NONE;

	cpuset_foreach (cpu, &s->all) {
		cpus[facts.n_cpus++] = (struct topo_cpu_facts){.cpu = cpu,
			.core_key = cpu,
			.l2_key = TOPO_NONE,
			.l3_key = TOPO_NONE,
			.package_id = 0,
			.node_id = TOPO_NONE};
	}
	for (unsigned int i = 0; s->apart && i < 2; i++) {
		struct topo_cpu_facts *extra = &cpus[facts.n_cpus++];

		cpus[i].l3_key = (int)i;
		*extra = cpus[i];
		extra->cpu += CPUSET_CAP / 2;
		extra->core_key = extra->cpu;
	}
	if (topo_build(&facts, &h.topo, &e) < 0)
		fail_msg("%s", e.text);
	h.latency_ns = lat_class_matrix(h.topo, lat_classes_default());
	view = hostmodel_latency(&h);
	h.ranking = ranking_from_topo(h.topo, &view);
	return h;
}

static void
on_guard_change(void *owner, bool alive)
{
	struct stage *s = owner;

	(void)alive;
	watch_guard_changed(s->watch);
}

void
stage_start(struct stage *s)
{
	struct engine_options options = {.base = s->base,
		.clock = &s->clock.clock,
		.procfd = s->procfd,
		.run_dirfd = s->run_dirfd,
		.cgroupfd = s->cgroupfd,
		.dry_run = s->dry_run,
		.on_change = on_change,
		.owner = s};
	struct settings config = s->config;
	struct hostmodel host = make_host(s);

	assert_int_equal(config.n_vms, 0); /* nothing that is owned */
	s->engine = engine_new(&options, &config, &host);
	event_del(s->engine->audit);
	event_del(s->engine->adoption);
	event_del(s->engine->rebalance);
	s->engine->look_ms = 0;
	s->engine->commons.guard = s->guard = guard_new(s->base, on_guard_change, s);
	s->watch = watch_new(s->engine, s->vm_dir);
	watch_start(s->watch);
}

void
stage_stop(struct stage *s)
{
	watch_free(s->watch);
	engine_free(s->engine);
	guard_free(s->guard);
	s->guard = NULL;
	s->watch = NULL;
	s->engine = NULL;
}

void
stage_reload(struct stage *s, const char *text)
{
	struct settings config;
	struct hostmodel host = make_host(s);
	struct err e = ERR_NONE;

	settings_init(&config);
	config.adopt = s->config.adopt;
	config.settle_ms = s->config.settle_ms;
	config.reserved_cpus = s->config.reserved_cpus;
	if (settings_parse(
		    &config, text, strlen(text), "t", SETTINGS_ORIGIN_CONFIG, &e) < 0)
		fail_msg("%s", e.text);
	engine_reload(s->engine, &config, &host);
	event_del(s->engine->audit);
	stage_settle(s);
}

static uint64_t
real_ms(void)
{
	return clock_now_us(clock_system()) / 1000;
}

void
stage_until(struct stage *s, bool (*holds)(struct stage *s, const void *arg),
	const void *arg, const char *what)
{
	const struct timeval tick_every = {.tv_usec = 5000};
	struct event *tick = event_new(s->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t end = real_ms() + LIMIT_MS;
	bool held = holds(s, arg);

	event_add(tick, &tick_every);
	while (!held && real_ms() < end) {
		event_base_loop(s->base, EVLOOP_ONCE);
		held = holds(s, arg);
	}
	event_free(tick);
	if (!held)
		fail_msg("not within %u ms: %s", LIMIT_MS, what);
}

static bool
is_quiet(struct stage *s, const void *arg)
{
	const struct engine *e = s->engine;

	(void)arg;
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (vm->proven &&
			((vm->causes | vm->active) != 0 || vm->awaiting || vm->fresh))
			return false;
	}
	return event_pending(e->settle, EV_TIMEOUT, NULL) == 0 &&
	       event_pending(e->gather, EV_TIMEOUT, NULL) == 0 &&
	       event_pending(e->slice, EV_TIMEOUT, NULL) == 0;
}

static bool
is_seen(struct stage *s, const void *arg)
{
	const struct vm *vm = engine_find(s->engine, arg);

	return vm != NULL && vm->surveyed && is_quiet(s, NULL);
}

static bool
is_said(struct stage *s, const void *arg)
{
	return logcatch_count(&s->log, arg) > 0 && is_quiet(s, NULL);
}

void
stage_settle(struct stage *s)
{
	stage_until(s, is_quiet, NULL, "nothing is left to do");
}

struct vm *
stage_until_seen(struct stage *s, const char *vmid)
{
	stage_until(s, is_seen, vmid, "the VM was looked at");
	return engine_find(s->engine, vmid);
}

void
stage_until_said(struct stage *s, const char *text)
{
	stage_until(s, is_said, text, text);
}

struct vm *
stage_start_with(struct stage *s, const char *vmid)
{
	stage_start(s);
	return stage_until_seen(s, vmid);
}

void
stage_pass_ms(struct stage *s, uint64_t ms)
{
	s->clock.now_us += ms * 1000;
}

/* A timer's callback now, whatever the real time. */
static void
fire(struct stage *s, struct event *timer)
{
	event_active(timer, EV_TIMEOUT, 1);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	event_del(timer);
	stage_settle(s);
}

void
stage_audit(struct stage *s)
{
	fire(s, s->engine->audit);
}

void
stage_audit_later(struct stage *s)
{
	stage_pass_ms(s, AUDIT_MS);
	stage_audit(s);
}

void
stage_adoption(struct stage *s)
{
	fire(s, s->engine->adoption);
}

void
stage_rebalance(struct stage *s)
{
	fire(s, s->engine->rebalance);
}

void
stage_look(struct stage *s)
{
	fire(s, s->engine->looks);
}

bool
stage_has_record(const struct stage *s, int vmid)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%d.json", vmid);
	return faccessat(s->run_dirfd, name, F_OK, 0) == 0;
}

void
stage_check_mask_at(pid_t tid, const struct cpuset *cpus, const char *file, int line)
{
	struct cpuset have = standin_mask(tid);
	char has[256];
	char wants[256];

	if (!cpuset_equal(&have, cpus))
		fail_msg("%s:%d: thread %d has CPUs %s, not %s", file, line, (int)tid,
			cpuset_format(&have, has, sizeof(has)),
			cpuset_format(cpus, wants, sizeof(wants)));
}
