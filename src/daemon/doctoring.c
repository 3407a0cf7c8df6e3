// SPDX-License-Identifier: MIT
/*
 * Facts for Doctor. A few system calls a VM and some small files of the host: about
 * what an audit costs.
 */
#include "config.h"

#include "daemon/doctoring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "act/recorddir.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "conf/conffiles.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/doctor.h"
#include "daemon/engine.h"
#include "daemon/memory.h"
#include "daemon/probing.h"
#include "daemon/sharing.h"
#include "daemon/undo.h"
#include "host/hostcheck.h"

/* Sessions, listeners, pidfds, directories and scopes of VMs; and clients, the guard,
 * what is read now and then. */
#define FDS_PER_VM 6u
#define FDS_ELSE 128u
#define REPLACED " (deleted)"
#define PROBING_PREFIX "latency: " /* of probing_warning's */

/* What the facts borrow. */
struct finds {
	char *run_dir;
	char *socket;
	char *socket_ro;
	char *state_dir;
	char *vm_dir;
	char newer[160];
	char *sharing[SHARING_WARNINGS_MAX];
	char *memory[MEMORY_WARNINGS_MAX];
	char *probing;
	struct cpuset own; /* CPUs that VMs have alone */
	char dedicated[96];
};

static void
finds_fini(struct finds *w)
{
	for (size_t i = 0; i < SHARING_WARNINGS_MAX; i++)
		free(w->sharing[i]);
	for (size_t i = 0; i < MEMORY_WARNINGS_MAX; i++)
		free(w->memory[i]);
	free(w->run_dir);
	free(w->socket);
	free(w->socket_ro);
	free(w->state_dir);
	free(w->vm_dir);
	free(w->probing);
}

/* ---- this process and its files ---- */

static void
look_at_capabilities(struct doctor_facts *f)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	f->nice = (data[0].effective & 1u << CAP_SYS_NICE) != 0;
	f->ptrace = (data[0].effective & 1u << CAP_SYS_PTRACE) != 0;
}

static void
look_at_file(int dirfd, const char *name, struct doctor_file *out)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_EMPTY_PATH) < 0) {
		out->error = -errno;
		return;
	}
	out->mode = st.st_mode;
	out->uid = st.st_uid;
}

static void
look_at_dirs(const struct engine *e, struct finds *w, struct doctor_facts *f)
{
	const struct doctoring *d = &e->doctoring;

	w->run_dir = str_escaped(d->run_dir != NULL ? d->run_dir : "the run directory");
	w->socket = xasprintf("%s/" CTL_SOCKET, w->run_dir);
	w->socket_ro = xasprintf("%s/" CTL_SOCKET_RO, w->run_dir);
	f->run_dir.path = w->run_dir;
	f->socket.path = w->socket;
	f->socket_ro.path = w->socket_ro;
	look_at_file(e->run_dirfd, "", &f->run_dir);
	look_at_file(e->run_dirfd, CTL_SOCKET, &f->socket);
	look_at_file(e->run_dirfd, CTL_SOCKET_RO, &f->socket_ro);
	f->state_dir.error = -ENODATA;
	if (d->state_dir != NULL) {
		f->state_dir.path = w->state_dir = str_escaped(d->state_dir);
		f->state_dir.error =
			faccessat(AT_FDCWD, d->state_dir, W_OK | X_OK, AT_EACCESS) < 0
				? -errno
				: 0;
	}
	if (d->vm_dir != NULL) {
		f->vm_dir.path = w->vm_dir = str_escaped(d->vm_dir);
		look_at_file(AT_FDCWD, d->vm_dir, &f->vm_dir);
	}
}

static void
look_at_limits(const struct engine *e, struct doctor_facts *f)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	f->fds = limit.rlim_cur;
	f->fds_needed = FDS_ELSE + (uint64_t)e->n_vms * FDS_PER_VM;
}

/* ---- configuration ---- */

/* The time of its inode: also when an older file was moved there. */
static void
note_if_newer(const struct engine *e, const char *path, struct finds *w)
{
	struct stat st;
	uint64_t us;

	if (w->newer[0] != '\0' || stat(path, &st) < 0)
		return;
	us = (uint64_t)st.st_ctim.tv_sec * 1000000 +
	     (uint64_t)st.st_ctim.tv_nsec / 1000;
	if (us > e->doctoring.config_us)
		str_escape(path, strlen(path), w->newer, sizeof(w->newer));
}

/* The directory itself has changed when a file has gone. */
static void
look_at_config(const struct engine *e, struct finds *w)
{
	const struct doctoring *d = &e->doctoring;
	struct conffiles files;

	if (d->config_us == 0 || conffiles_list(d->root, d->config, &files, NULL) < 0)
		return;
	for (size_t i = 0; i < files.n; i++)
		note_if_newer(e, files.paths[i], w);
	if (files.dir != NULL)
		note_if_newer(e, files.dir, w);
	conffiles_fini(&files);
}

/* ---- VMs ---- */

static bool
is_replaced(const struct engine *e, const struct vm *vm)
{
	char target[512]; /* a longer one is not looked at */
	char name[32];
	ssize_t n;

	if (vm->identity.pid <= 0)
		return false;
	(void)snprintf(name, sizeof(name), "%d/exe", (int)vm->identity.pid);
	n = readlinkat(e->procfd, name, target, sizeof(target) - 1);
	if (n < (ssize_t)strlen(REPLACED))
		return false;
	target[n] = '\0';
	return strcmp(target + (size_t)n - strlen(REPLACED), REPLACED) == 0;
}

static struct checks_group *
way_of(struct doctor_facts *f, const struct vm *vm)
{
	switch (monitor_share(vm->monitor)) {
	case SHARE_PRIVATE:
		return &f->private;
	case SHARE_YIELD:
		return &f->yield;
	case SHARE_BRIEF:
		return &f->brief;
	case SHARE_PROXY:
		return &f->proxy;
	default:
		return NULL;
	}
}

static void
look_at_monitor(const struct engine *e, const struct vm *vm, struct doctor_facts *f)
{
	struct checks_group *way = vm->monitor != NULL ? way_of(f, vm) : NULL;

	if (way != NULL)
		checks_group_add(way, vm->id);
	if (way == &f->yield && engine_share(e, vm->id) == SHARE_AUTO &&
		e->commons.reception != NULL)
		checks_group_add(&f->old, vm->id);
	if (vm->has_facts && vm->facts.version.major > 0)
		doctor_add_version(
			f, vm->facts.version.major, vm->facts.version.minor, vm->id);
	if (is_replaced(e, vm))
		checks_group_add(&f->replaced, vm->id);
}

/* Why it is not looked after: the first reason is the one that counts. */
static void
look_at_place(const struct engine *e, const struct vm *vm, struct doctor_facts *f)
{
	struct checks_group *held = NULL;

	if (vm->state == VM_STALLED)
		held = &f->stalled;
	else if (undo_holds(vm))
		held = &f->restored;
	else if (vm->peace_until_us != 0)
		held = &f->peace;
	else if (vm->foreign)
		held = &f->foreign;
	else if (adopt_waits(e, vm))
		held = &f->waiting;
	if (held != NULL)
		checks_group_add(held, vm->id);
}

/* Kept to less than its slice. */
static bool
is_bounded(const struct vm *vm, const struct hostfacts *host)
{
	struct cpuset all = host->online;

	if (!vm->confine.bounded)
		return false;
	if (host->has_slice)
		all = cpuset_and(&all, &host->slice);
	return !cpuset_within(&all, &vm->confine.cpus);
}

/* Some thread of it may run on these CPUs. */
static bool
may_run_on(const struct vm *vm, const struct cpuset *cpus)
{
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (cpuset_overlap(&vm->tasks[i].have, cpus))
			return true;
	}
	return false;
}

static void
look_at_own(const struct engine *e, struct finds *w, struct doctor_facts *f)
{
	char text[CPUSET_TEXT_MAX];

	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->own)
			w->own = cpuset_or(&w->own, &e->vms[i]->domain);
	}
	if (cpuset_empty(&w->own))
		return;
	str_copy(w->dedicated, sizeof(w->dedicated),
		cpuset_format(&w->own, text, sizeof(text)));
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (!vm->own && vm->state != VM_GONE && may_run_on(vm, &w->own))
			checks_group_add(&f->guests, vm->id);
	}
}

static void
look_at_vms(const struct engine *e, const struct hostfacts *host, struct finds *w,
	struct doctor_facts *f)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (vm->state == VM_GONE)
			continue;
		f->n_vms++;
		f->n_placed += vm->placed ? 1 : 0;
		look_at_place(e, vm, f);
		look_at_monitor(e, vm, f);
		if (is_bounded(vm, host))
			checks_group_add(&f->bounded, vm->id);
	}
	look_at_own(e, w, f);
}

/* Looking for each of a thousand among a thousand would take longer than all else. */
struct record_search {
	const char **ids; /* of VMs, in the order of their bytes */
	size_t n;
	struct checks_group *found;
};

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
take_record(void *arg, const char *id)
{
	const struct record_search *s = arg;

	if (bsearch(&id, s->ids, s->n, sizeof(*s->ids), by_bytes) == NULL)
		checks_group_add(s->found, id);
}

static void
look_at_records(const struct engine *e, struct checks_group *found)
{
	struct record_search s = {xcalloc(e->n_vms, sizeof(*s.ids)), e->n_vms, found};

	for (size_t i = 0; i < e->n_vms; i++)
		s.ids[i] = e->vms[i]->id;
	qsort(s.ids, s.n, sizeof(*s.ids), by_bytes);
	if (recorddir_each(e->run_dirfd, take_record, &s) < 0)
		*found = (struct checks_group){0}; /* what cannot be listed */
	free(s.ids);
}

/* ---- all of it ---- */

static void
look_at_warnings(const struct engine *e, struct finds *w, struct doctor_facts *f)
{
	f->bad_reload = e->bad_reload;
	f->newer = w->newer;
	f->bad_cluster = e->wishing.bad_conf;
	f->pve = e->wishing.trouble;
	f->config = (struct doctor_texts){e->config.warnings, e->config.n_warnings};
	f->sharing = (struct doctor_texts){w->sharing, sharing_warnings(e, w->sharing)};
	f->memory = (struct doctor_texts){w->memory, memory_warnings(e, w->memory)};
	f->dedicated = w->dedicated;
	f->why = e->host.why;
	f->latency = probing_state(e->probing);
	w->probing = probing_warning(e->probing);
	f->probing = w->probing;
	if (f->probing != NULL && str_has_prefix(f->probing, PROBING_PREFIX))
		f->probing += strlen(PROBING_PREFIX);
}

static void
gather(const struct engine *e, struct finds *w, struct hostfacts *host,
	struct doctor_facts *f)
{
	const char *root = e->doctoring.root != NULL ? e->doctoring.root : "";

	hostfacts_read(root, host);
	host->has_topology = host->has_listed = true;
	host->online = e->host.topo->online;
	host->isolated = e->host.topo->isolated;
	host->n_nodes = e->host.topo->n_nodes;
	host->virtual = e->host.id.virtual;
	host->listed = e->config.isolated_cpus;
	f->version = PACKAGE_VERSION;
	f->dry_run = e->dry_run;
	f->uid = geteuid();
	f->diag = e->commons.backlog != NULL;
	look_at_capabilities(f);
	look_at_dirs(e, w, f);
	look_at_config(e, w);
	look_at_vms(e, host, w, f);
	look_at_limits(e, f);
	look_at_warnings(e, w, f);
	look_at_records(e, &f->records);
}

void
doctoring_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	struct hostfacts host = {0};
	struct doctor_facts facts = {0};
	struct finds finds = {0};
	struct checks checks = {0};

	(void)params;
	gather(owner, &finds, &host, &facts);
	doctor_run(&facts, &checks);
	hostcheck_run(&host, &checks);
	ctl_reply(call, ctl_checks_json(&checks), false);
	checks_fini(&checks);
	finds_fini(&finds);
}
