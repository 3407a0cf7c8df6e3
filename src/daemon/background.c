// SPDX-License-Identifier: MIT
/*
 * CPU use by others. The groups right below the root are read as a whole, but for those
 * that hold VMs or whose groups may use different CPUs (containers): of these, each.
 */
#include "config.h"

#include "daemon/background.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "host/cgroup.h"

#define FIRST_S 1
#define TICK_S 10
/* A group of more is read as a whole, unless there are VMs in it. */
#define SPLIT_MAX 256

/* One look. */
struct look {
	struct engine *e;
	uint64_t now_us;
	size_t n_vms;	       /* whose groups are known */
	const struct vm **vms; /* by path of the group */
};

static int
by_path(const void *a, const void *b)
{
	const struct vm *const *x = a;
	const struct vm *const *y = b;

	return strcmp((*x)->confine.path, (*y)->confine.path);
}

static void
list_vms(struct look *look)
{
	const struct engine *e = look->e;

	look->vms = xcalloc(e->n_vms, sizeof(struct vm *));
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (vm->surveyed && vm->confine.path != NULL)
			look->vms[look->n_vms++] = vm;
	}
	qsort(look->vms, look->n_vms, sizeof(struct vm *), by_path);
}

/* The first VM whose path is not below @path, NULL: there is none. */
static const struct vm *
first_from(const struct look *look, const char *path)
{
	size_t lo = 0;
	size_t hi = look->n_vms;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(look->vms[mid]->confine.path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < look->n_vms ? look->vms[lo] : NULL;
}

/* A VM somewhere below the group. */
static const struct vm *
vm_below(const struct look *look, const char *path)
{
	auto_free char *prefix = xasprintf("%s/", path);
	const struct vm *vm = first_from(look, prefix);

	return vm != NULL && str_has_prefix(vm->confine.path, prefix) ? vm : NULL;
}

static const struct vm *
vm_at(const struct look *look, const char *path)
{
	const struct vm *vm = first_from(look, path);

	return vm != NULL && strcmp(vm->confine.path, path) == 0 ? vm : NULL;
}

/* Without the controller: all CPUs. Returns false when the group has gone. */
static bool
read_cpus(const struct look *look, const char *path, struct cpuset *out)
{
	int r = cgroup_cpus(look->e->cgroupfd, path, out);

	if (r == -ENODATA)
		*out = look->e->host.topo->online;
	return r == 0 || r == -ENODATA;
}

static void
add(struct look *look, const char *path, unsigned int flags)
{
	struct cpuset cpus;
	struct loads_sample s = {.path = path, .cpus = &cpus, .flags = flags};

	if (read_cpus(look, path, &cpus) &&
		cgroup_used_us(look->e->cgroupfd, path, &s.used_us) == 0)
		loads_add(&look->e->background.loads, look->now_us, &s);
}

/* A group of the second level, with all that is below it. Of VMs only those that are
 * left alone are of interest; the planner knows where they are. */
static void
look_at_child(struct look *look, const char *path)
{
	const struct vm *vm = vm_at(look, path);

	if (vm == NULL)
		vm = vm_below(look, path);
	if (vm == NULL)
		add(look, path, LOADS_COUNTS);
	else if (cpuset_empty(&vm->domain))
		add(look, path, 0);
}

static bool
differ(const struct look *look, const char *path, char **children, ssize_t n)
{
	struct cpuset own;
	struct cpuset other;

	if (n > SPLIT_MAX || !read_cpus(look, path, &own))
		return false;
	for (ssize_t i = 0; i < n; i++) {
		if (read_cpus(look, children[i], &other) && !cpuset_equal(&own, &other))
			return true;
	}
	return false;
}

static void
look_at_group(struct look *look, const char *path)
{
	char **children = NULL;
	ssize_t n = cgroup_children(look->e->cgroupfd, path, &children);
	bool split = n > 0 &&
		     (vm_below(look, path) != NULL || differ(look, path, children, n));

	add(look, path, split ? LOADS_PART : LOADS_PART | LOADS_COUNTS);
	for (ssize_t i = 0; i < n; i++) {
		if (split)
			look_at_child(look, children[i]);
		free(children[i]);
	}
	free(children);
}

/* What is only a little different is not told: plans would flap. */
static void
show(double **shown, double *now)
{
	if (*shown != NULL && !loads_is_news(*shown, now)) {
		free(now);
		return;
	}
	free(*shown);
	*shown = now;
}

static void
show_all(struct engine *e)
{
	struct background *b = &e->background;
	const struct topo *topo = e->host.topo;
	struct cpuset may = cpuset_minus(&topo->online, &topo->isolated);
	double *all = xcalloc(CPUSET_CAP, sizeof(*all));
	double *bound = xcalloc(CPUSET_CAP, sizeof(*bound));

	loads_lay(&b->loads, &may, all);
	loads_lay_bound(&b->loads, &may, bound);
	show(&b->shown, all);
	show(&b->bound, bound);
}

void
background_look(struct engine *e)
{
	struct look look = {.e = e, .now_us = clock_now_us(e->clock)};
	struct loads *loads = &e->background.loads;
	char **groups = NULL;
	ssize_t n;

	if (e->cgroupfd < 0)
		return;
	n = cgroup_children(e->cgroupfd, "/", &groups);
	if (n < 0)
		return;
	list_vms(&look);
	loads_begin(loads);
	for (ssize_t i = 0; i < n; i++) {
		look_at_group(&look, groups[i]);
		free(groups[i]);
	}
	add(&look, "/", LOADS_MACHINE | LOADS_COUNTS);
	loads_end(loads);
	if (loads->rounds > 1)
		show_all(e);
	free(groups);
	free(look.vms);
}

static void
arm(struct engine *e, time_t s)
{
	struct timeval tv = {.tv_sec = s};

	evtimer_add(e->background.timer, &tv);
}

static void
on_background_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	background_look(e);
	arm(e, TICK_S);
}

void
background_start(struct engine *e)
{
	e->background.timer = evtimer_new(e->base, on_background_tick, e);
	arm(e, FIRST_S);
}

void
background_stop(struct engine *e)
{
	event_free(e->background.timer);
	loads_fini(&e->background.loads);
	free(e->background.shown);
	free(e->background.bound);
	e->background = (struct background){.timer = NULL};
}

double *
background_of_pus(const struct engine *e)
{
	const struct topo *topo = e->host.topo;
	const double *bound = e->background.bound;
	double *pus;

	if (bound == NULL)
		return NULL;
	pus = xcalloc(topo->n_pus, sizeof(*pus));
	for (unsigned int i = 0; i < topo->n_pus; i++)
		pus[i] = bound[topo->pus[i].cpu];
	return pus;
}

double
background_cpus(const struct engine *e)
{
	return e->background.shown != NULL ? loads_sum(e->background.shown) : -1;
}

double
background_of_vm(const struct engine *e, const struct vm *vm)
{
	return vm->confine.path != NULL
		       ? loads_of(&e->background.loads, vm->confine.path)
		       : -1;
}
