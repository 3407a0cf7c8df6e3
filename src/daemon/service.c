// SPDX-License-Identifier: MIT
/*
 * The running service. Ready is told before any VM is read: a slow host must not delay
 * its own boot for us.
 */
#include "config.h"

#include "daemon/service.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "conf/settings.h"
#include "daemon/pvecluster.h"
#include "daemon/conflayers.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/hostmodel.h"
#include "daemon/hostwatch.h"
#include "daemon/leftovers.h"
#include "daemon/memory.h"
#include "daemon/migrating.h"
#include "daemon/notify.h"
#include "daemon/probing.h"
#include "daemon/turns.h"
#include "daemon/watch.h"
#include "host/cgroup.h"
#include "qmp/backlog.h"
#include "qmp/guard.h"

#define N_SIGNALS 4
/* What a plan for many VMs took is given back, and not kept for the next one. */
#define KEEP_BYTES (512 * 1024)
/* At the end, what others do through us may take so long. */
#define FINISH_MS 1500
#define FINISH_LOOK_MS 10
/* A topology that cannot be read while CPUs come and go is read again later; so often
 * in a row, and it is something else. */
#define HOST_TRIES 5u

struct service {
	const struct cmdline *cmdline;
	struct event_base *base;
	struct guard *guard;
	struct backlog *backlog; /* NULL: the kernel does not tell */
	struct engine *engine;
	struct conflayers files;
	struct pvecluster *cluster; /* NULL: not yet */
	struct probing *probing;
	struct memory *memory;
	struct migrating *migrating;
	struct watch *watch;
	struct event *finish; /* the end is near; NULL: not yet */
	uint64_t finish_us;   /* at the latest */
	struct ctl_server *control;
	struct event *signals[N_SIGNALS]; /* the last: a reload is due */
	struct notify notify;
	struct hostwatch *hostwatch; /* NULL: the host is a file */
	unsigned int host_failures;  /* in a row */
	struct event *watchdog;	     /* NULL: systemd wants none */
	int procfd;
	int run_dirfd;
	int cgroupfd;	    /* -1: no unified hierarchy */
	uint64_t config_us; /* when the configuration was read, real time */
};

static void
log_err(const struct err *e)
{
	char text[512];

	log_error("%s", err_format(e, text, sizeof(text)));
}

static int
load_host(const struct cmdline *c, struct hostmodel *out, struct err *e)
{
	return hostmodel_load(c->topology != NULL ? c->topology : c->root, out, e);
}

/* One line of state for `systemctl status`. */
static void
tell_status(const struct service *s, bool ready)
{
	const struct engine *e = s->engine;
	size_t placed = 0;
	char text[128];

	for (size_t i = 0; i < e->n_vms; i++)
		placed += e->vms[i]->placed ? 1 : 0;
	(void)snprintf(text, sizeof(text), "%zu VMs, %zu placed, %llu repairs",
		e->n_vms, placed, (unsigned long long)e->stats.repairs);
	if (ready)
		(void)notify_ready(&s->notify, text);
	else
		(void)notify_status(&s->notify, text);
}

/* The old settings and topology stay; the control interface says so until a reload
 * succeeds. */
static void
refuse_reload(struct service *s, const struct err *why)
{
	char text[512];

	err_format(why, text, sizeof(text));
	log_error("%s", text);
	log_error("reload failed: the old configuration and topology stay");
	(void)snprintf(s->engine->bad_reload, sizeof(s->engine->bad_reload),
		"last reload failed: %.480s", text);
}

/* Parse and load afresh; swap only when all of it is good. */
static int
reload(struct service *s, bool afresh, struct err *e)
{
	struct settings config;
	struct hostmodel host;
	uint64_t now_us = clock_real_us(clock_system());
	int r = conflayers_load(&s->files, &config, e);

	if (r < 0)
		return r;
	r = load_host(s->cmdline, &host, e);
	if (r < 0) {
		settings_fini(&config);
		return r;
	}
	log_set_level(config.log_level);
	probing_equip(s->probing, &host);
	engine_reload(s->engine, &config, &host);
	s->engine->doctoring.config_us = now_us;
	if (afresh)
		probing_again(s->probing);
	else
		probing_host_changed(s->probing);
	pvecluster_look(s->cluster);
	log_info("reloaded");
	return 0;
}

static void
on_cluster_settings(void *owner, struct settings *config)
{
	struct service *s = owner;

	log_set_level(config->log_level);
	engine_configure(s->engine, config);
}

static int
on_engine_reload(void *owner, bool afresh, struct err *e)
{
	struct service *s = owner;
	int r;

	(void)notify_reloading(&s->notify, s->engine->clock);
	r = reload(s, afresh, e);
	if (r < 0)
		refuse_reload(s, e);
	tell_status(s, true);
	return r;
}

static void
on_reload_due(evutil_socket_t fd, short what, void *arg)
{
	struct err told = ERR_NONE;

	(void)fd;
	(void)what;
	(void)on_engine_reload(arg, true, &told);
}

/* libevent tells each signal; however many have come by now, they are one reload. */
static void
on_signal_reload(evutil_socket_t sig, short what, void *arg)
{
	const struct service *s = arg;

	(void)sig;
	(void)what;
	event_active(s->signals[N_SIGNALS - 1], EV_TIMEOUT, 0);
}

static struct event *
add_ticker(struct service *s, uint64_t interval_us, event_callback_fn callback)
{
	struct timeval tv = clock_timeval_us(interval_us);
	struct event *ev = event_new(s->base, -1, EV_PERSIST, callback, s);

	event_add(ev, &tv);
	return ev;
}

static void
on_finish_look(evutil_socket_t fd, short what, void *arg)
{
	const struct service *s = arg;

	(void)fd;
	(void)what;
	if (!watch_is_busy(s->watch) || clock_now_us(clock_system()) >= s->finish_us)
		(void)event_base_loopbreak(s->base);
}

/* Nobody's command is cut short because we end; a second signal does not wait. */
static void
on_signal_end(evutil_socket_t sig, short what, void *arg)
{
	struct service *s = arg;

	(void)what;
	if (s->finish != NULL) {
		(void)event_base_loopbreak(s->base);
		return;
	}
	log_info("ends on signal %d, all masks stay", (int)sig);
	(void)notify_stopping(&s->notify);
	watch_finish(s->watch);
	s->finish_us = clock_now_us(clock_system()) + FINISH_MS * 1000ull;
	s->finish = add_ticker(s, FINISH_LOOK_MS * 1000ull, on_finish_look);
	event_active(s->finish, EV_TIMEOUT, 0);
}

static void
on_guard_change(void *owner, bool alive)
{
	struct service *s = owner;

	if (alive)
		log_info("a new guard runs: monitors are held again");
	else
		log_warning("the guard has died: monitors are only visited until a new "
			    "one runs");
	watch_guard_changed(s->watch);
}

static void
on_watchdog_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct service *s = arg;

	(void)fd;
	(void)what;
	(void)notify_alive(&s->notify);
}

static void
on_engine_change(void *owner)
{
	tell_status(owner, false);
}

static void
say_change(const struct topo *before, const struct topo *now)
{
	if (!cpuset_equal(&before->online, &now->online) ||
		before->n_nodes != now->n_nodes)
		log_notice("the host's CPUs have changed: %u are online, on %u nodes",
			now->n_pus, now->n_nodes);
	if (!cpuset_equal(&before->isolated, &now->isolated))
		log_notice("other CPUs are isolated: %u of %u",
			cpuset_count(&now->isolated), now->n_pus);
}

/* In the end the old topology stays until the next change or a reload. */
static void
refuse_host(struct service *s, const struct err *why)
{
	if (s->host_failures < HOST_TRIES)
		s->host_failures++;
	if (s->host_failures < HOST_TRIES)
		hostwatch_again(s->hostwatch);
	else
		log_err(why);
}

/* Also when it is as before: the kernel may have widened masks meanwhile. */
static void
on_host_event(void *owner)
{
	struct service *s = owner;
	struct hostmodel host;
	struct err why = ERR_NONE;

	if (load_host(s->cmdline, &host, &why) < 0) {
		refuse_host(s, &why);
		return;
	}
	s->host_failures = 0;
	say_change(s->engine->host.topo, host.topo);
	probing_equip(s->probing, &host);
	engine_replace_host(s->engine, &host);
	probing_host_changed(s->probing);
}

/* Before each round of the audit, so that a mask the kernel has cut or widened because
 * a CPU went away is not taken for somebody's drift. While CPUs come and go the round
 * is left out: the end of that is a round. */
static bool
on_engine_audit(void *owner)
{
	struct service *s = owner;

	if (s->hostwatch == NULL)
		return true;
	if (!hostwatch_is_pending(s->hostwatch) && hostwatch_changed(s->hostwatch))
		on_host_event(s);
	return !hostwatch_is_pending(s->hostwatch);
}

/* To be called before the topology is read: what changes meanwhile is seen later. */
static void
watch_host(struct service *s)
{
	const char *root = s->cmdline->root;
	struct err why = ERR_NONE;

	if (s->cmdline->topology != NULL)
		return;
	s->hostwatch = hostwatch_new(root != NULL ? root : "");
	if (root == NULL &&
		hostwatch_listen(s->hostwatch, s->base, on_host_event, s, &why) < 0)
		log_info("%s: %s: the host's CPUs are looked at with each audit",
			why.source, why.text);
}

static void
add_signal(struct service *s, int i, int sig, event_callback_fn callback)
{
	s->signals[i] = evsignal_new(s->base, sig, callback, s);
	event_add(s->signals[i], NULL);
}

static int
open_dirs(struct service *s, struct err *e)
{
	const char *root = s->cmdline->root != NULL ? s->cmdline->root : "";
	const char *run_dir = s->cmdline->run_dir;
	auto_free char *proc = xasprintf("%s/proc", root);

	if (geteuid() != 0 && !s->cmdline->run_dir_given)
		return err_set(
			e, -EACCES, NULL, 0, "not root: --run-dir DIR is needed");
	s->procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->procfd < 0)
		return err_set(e, -errno, proc, 0, "cannot open: %s", strerror(errno));
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return err_set(
			e, -errno, run_dir, 0, "cannot make: %s", strerror(errno));
	s->run_dirfd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->run_dirfd < 0)
		return err_set(
			e, -errno, run_dir, 0, "cannot open: %s", strerror(errno));
	return 0;
}

/* Without it VMs are bounded by their masks alone. */
static void
open_cgroups(struct service *s)
{
	const char *root = s->cmdline->root != NULL ? s->cmdline->root : "";
	struct err why = ERR_NONE;

	s->cgroupfd = cgroup_open(root, &why);
	if (s->cgroupfd < 0 && err_is_set(&why))
		log_err(&why);
}

/* What cannot be had makes another way of sharing be used. */
static void
share_monitors(struct service *s)
{
	struct monitor_commons *commons = &s->engine->commons;
	auto_free char *run_dir = realpath(s->cmdline->run_dir, NULL);
	struct err why = ERR_NONE;

	commons->guard = s->guard;
	commons->guard_ms = s->engine->config.guard_ms;
	commons->rota.turn = &s->engine->turns.number;
	if (run_dir != NULL && !s->engine->dry_run &&
		watch_receive(s->watch, run_dir, &why) < 0)
		log_err(&why);
}

/* With another host's topology nothing is measured: it would be this one's. */
static void
measure_latencies(struct service *s)
{
	struct probing_options o = {.engine = s->engine,
		.state_dir = s->cmdline->state_dir,
		.foreign = s->cmdline->root != NULL || s->cmdline->topology != NULL};

	s->engine->probing = s->probing = probing_new(&o);
}

static void
look_at_memory(struct service *s)
{
	const struct cmdline *c = s->cmdline;

	s->memory = memory_new(
		s->engine, c->root != NULL ? c->root : "", c->topology != NULL);
	s->engine->memory = s->memory;
	s->migrating = migrating_new(s->engine);
	s->engine->migrating = s->migrating;
}

/* It may hang, as may what it is read with: not before we are ready. */
static void
read_cluster(struct service *s)
{
	const struct cmdline *c = s->cmdline;
	struct pvecluster_options o = {.engine = s->engine,
		.files = &s->files,
		.root = c->root != NULL ? c->root : "",
		.foreign = c->topology != NULL,
		.on_settings = on_cluster_settings,
		.owner = s};

	s->cluster = pvecluster_new(&o);
}

/* The first question may make the kernel load a module: not before we are ready. */
static void
open_backlog(struct service *s)
{
	struct err ignored = ERR_NONE; /* told where it is needed */

	if (backlog_open(&s->backlog, &ignored) == 0)
		s->engine->commons.backlog = s->backlog;
}

static int
start(struct service *s, struct settings *config, struct err *e)
{
	struct engine_options options = {.clock = clock_system(),
		.dry_run = s->cmdline->dry_run,
		.on_change = on_engine_change,
		.on_audit = on_engine_audit,
		.on_reload = on_engine_reload,
		.owner = s};
	struct hostmodel host;
	int r;

	r = open_dirs(s, e);
	options.base = s->base = event_base_new();
	if (r == 0) {
		/* A fork: of little as yet. */
		s->guard = guard_new(s->base, on_guard_change, s);
		open_cgroups(s);
		watch_host(s);
		r = load_host(s->cmdline, &host, e);
	}
	if (r < 0) {
		settings_fini(config);
		return r;
	}
	options.procfd = s->procfd;
	options.run_dirfd = s->run_dirfd;
	options.cgroupfd = s->cgroupfd;
	s->engine = engine_new(&options, config, &host);
	s->engine->doctoring = (struct doctoring){.root = s->cmdline->root,
		.config = s->cmdline->config,
		.vm_dir = s->cmdline->vm_dir,
		.run_dir = s->cmdline->run_dir,
		.state_dir = s->cmdline->state_dir,
		.config_us = s->config_us};
	s->watch = watch_new(s->engine, s->cmdline->vm_dir);
	r = control_new(s->engine, s->cmdline->run_dir, &s->control, e);
	if (r < 0)
		return r; /* or another daemon runs: nothing of its own is touched */
	share_monitors(s);
	measure_latencies(s);
	look_at_memory(s);
	add_signal(s, 0, SIGHUP, on_signal_reload);
	add_signal(s, 1, SIGTERM, on_signal_end);
	add_signal(s, 2, SIGINT, on_signal_end);
	s->signals[3] = event_new(s->base, -1, 0, on_reload_due, s);
	notify_open(&s->notify);
	if (s->notify.alive_us > 0)
		s->watchdog = add_ticker(s, s->notify.alive_us, on_watchdog_tick);
	return 0;
}

static void
tear_down(struct service *s)
{
	migrating_free(s->migrating);
	watch_free(s->watch);
	/* these two answer the calls that wait */
	probing_free(s->probing);
	engine_free(s->engine);
	hostwatch_free(s->hostwatch);
	pvecluster_free(s->cluster);
	conflayers_fini(&s->files);
	ctl_server_free(s->control);
	memory_free(s->memory);
	backlog_close(s->backlog);
	guard_free(s->guard);
	for (int i = 0; i < N_SIGNALS; i++) {
		if (s->signals[i] != NULL)
			event_free(s->signals[i]);
	}
	if (s->watchdog != NULL)
		event_free(s->watchdog);
	if (s->finish != NULL)
		event_free(s->finish);
	if (s->base != NULL)
		event_base_free(s->base);
	if (s->run_dirfd >= 0)
		close(s->run_dirfd);
	if (s->procfd >= 0)
		close(s->procfd);
	if (s->cgroupfd >= 0)
		close(s->cgroupfd);
	libevent_global_shutdown();
}

static void
say_hello(const struct service *s)
{
	const struct topo *t = s->engine->host.topo;

	log_info("qmpind " PACKAGE_VERSION
		 ": %u CPUs, %u cores, %u L3 groups, %u NUMA nodes, "
		 "%u packages; VMs in %s%s",
		t->n_pus, t->n_cores, t->n_l3, t->n_nodes, t->n_packages,
		s->cmdline->vm_dir,
		s->engine->dry_run ? "; dry run: nothing is changed" : "");
}

int
service_run(const struct cmdline *c)
{
	struct service s = {.cmdline = c,
		.procfd = -1,
		.run_dirfd = -1,
		.cgroupfd = -1,
		.files = {.root = c->root, .file = c->config}};
	struct settings config;
	struct err why = ERR_NONE;
	int r;

	log_open(c->foreground ? LOG_TO_STDERR : log_target_detect(), LOG_INFO);
	s.config_us = clock_real_us(clock_system());
	r = conflayers_load(&s.files, &config, &why);
	if (r < 0) {
		log_err(&why);
		return conflayers_may_pass(r) ? SERVICE_FAILED : SERVICE_BAD_CONFIG;
	}
	log_set_level(config.log_level);
	(void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	(void)signal(SIGPIPE, SIG_IGN);
	if (start(&s, &config, &why) < 0) {
		log_err(&why);
		tear_down(&s);
		return SERVICE_FAILED;
	}
	say_hello(&s);
	tell_status(&s, true);
	open_backlog(&s);
	read_cluster(&s);
	probing_start(s.probing); /* before any VM is placed by what is known less */
	if (!c->dry_run)
		(void)leftovers_sweep(s.procfd, s.run_dirfd);
	watch_start(s.watch);
	turns_run(&s.engine->turns, s.base);
	tear_down(&s);
	return 0;
}
