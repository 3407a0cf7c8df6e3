// SPDX-License-Identifier: MIT
/* Which groups count as others' use of the host, on which CPUs, and what plans see. */
#include "config.h"

#include "daemon/background.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "daemon/engine.h"
#include "daemon/planning.h"
#include "daemon/seating.h"
#include "host/cgroup.h"
#include "trees.h"
#include "vmtable.h"

#define TOP "sys/fs/cgroup"
#define ROUND_US UINT64_C(10000000)
#define CLOSE 1e-6

struct fixture {
	struct vmtable *table;
	char *dir;
};

static bool
is_near(double a, double b)
{
	return a - b < CLOSE && b - a < CLOSE;
}

static void
write_cpus(const struct fixture *f, const char *group, const char *cpus)
{
	auto_free char *name = xasprintf(TOP "%s/cpuset.cpus.effective", group);

	trees_write(f->dir, name, cpus);
}

static void
write_used(const struct fixture *f, const char *group, unsigned int used_s)
{
	auto_free char *name = xasprintf(TOP "%s/cpu.stat", group);
	auto_free char *text = xasprintf("usage_usec %u000000\nuser_usec 0\n", used_s);

	trees_write(f->dir, name, text);
}

static int
set_up(void **state)
{
	static struct fixture f;
	struct err e = ERR_NONE;
	void *table = NULL;

	assert_int_equal(vmtable_setup(&table), 0);
	f = (struct fixture){.table = table, .dir = trees_new()};
	trees_write(f.dir, TOP "/cgroup.controllers", "cpuset cpu\n");
	write_cpus(&f, "", "0-7\n");
	f.table->engine.cgroupfd = cgroup_open(f.dir, &e);
	assert_true(f.table->engine.cgroupfd >= 0);
	for (unsigned int i = 0; i < VMTABLE_VMS; i++) {
		struct vm *vm = f.table->vms[i];

		vm->confine.path = xasprintf("/qemu.slice/%s.scope", vm->id);
	}
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	struct background *b = &f->table->engine.background;
	void *table = f->table;

	loads_fini(&b->loads);
	free(b->shown);
	free(b->bound);
	close(f->table->engine.cgroupfd);
	trees_remove(f->dir);
	return vmtable_teardown(&table);
}

static void
look(struct fixture *f)
{
	background_look(&f->table->engine);
	f->table->now_us += ROUND_US;
}

/* Two looks, between which each group has used so many seconds. */
static void
look_twice(struct fixture *f, const char *const *groups, const unsigned int *used_s,
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		write_used(f, groups[i], 0);
	look(f);
	for (size_t i = 0; i < n; i++)
		write_used(f, groups[i], used_s[i]);
	look(f);
}

static double
of_cpu(const struct fixture *f, unsigned int cpu)
{
	auto_free double *pus = background_of_pus(&f->table->engine);

	assert_non_null(pus);
	return pus[f->table->engine.host.topo->pu_of_cpu[cpu]];
}

static void
nothing_is_known_before_the_second_look(void **state)
{
	struct fixture *f = *state;
	struct seating s;

	write_used(f, "", 0);
	look(f);
	assert_null(background_of_pus(&f->table->engine));
	assert_true(background_cpus(&f->table->engine) < 0);
	seating_init(&s, &f->table->engine);
	assert_null(s.in.background);
	seating_fini(&s);
}

static void
services_are_one_and_containers_one_by_one(void **state)
{
	static const char *const groups[] = {"", "/system.slice",
		"/system.slice/a.service", "/lxc", "/lxc/200", "/lxc/201"};
	static const unsigned int used_s[] = {48, 8, 8, 30, 20, 10};
	struct fixture *f = *state;

	write_cpus(f, "/lxc", "0-7\n");
	write_cpus(f, "/lxc/200", "0-3\n");
	write_cpus(f, "/lxc/201", "4-5\n");
	look_twice(f, groups, used_s, 6);
	/* the kernel and services go where it is idle */
	assert_true(is_near(of_cpu(f, 0), 0.5));
	assert_true(is_near(of_cpu(f, 5), 0.5));
	assert_true(is_near(of_cpu(f, 6), 0));
	assert_true(is_near(background_cpus(&f->table->engine), 4.8));
}

static void
planned_vms_are_not_others_and_unknown_scopes_are(void **state)
{
	static const char *const groups[] = {"", "/qemu.slice", "/qemu.slice/100.scope",
		"/qemu.slice/101.scope", "/qemu.slice/900.scope"};
	static const unsigned int used_s[] = {58, 58, 40, 10, 8};
	struct fixture *f = *state;

	for (unsigned int i = 0; i < VMTABLE_VMS; i++)
		f->table->vms[i]->domain = cpuset_below(4);
	look_twice(f, groups, used_s, 5);
	assert_true(is_near(background_cpus(&f->table->engine), 0.8));
	assert_true(background_of_vm(&f->table->engine, f->table->vms[0]) < 0);
}

static void
a_vm_that_is_left_alone_counts_by_its_use_and_only_once(void **state)
{
	static const char *const groups[] = {
		"", "/qemu.slice", "/qemu.slice/100.scope", "/qemu.slice/102.scope"};
	static const unsigned int used_s[] = {15, 15, 15, 0};
	struct fixture *f = *state;
	struct seating s;

	vmtable_configure(f->table, "[vm 100]\nmode = off\n[vm 102]\nmode = off\n");
	look_twice(f, groups, used_s, 4);
	assert_true(is_near(background_cpus(&f->table->engine), 0));
	seating_init(&s, &f->table->engine);
	assert_true(is_near(s.in.vms[0].demand_vcpus, 1.5));
	assert_true(is_near(s.in.vms[1].demand_vcpus, 0)); /* not off: all its vCPUs */
	assert_true(is_near(s.in.vms[2].demand_vcpus, 0.0625));
	assert_non_null(s.in.background);
	seating_fini(&s);
}

static void
a_vm_deep_in_a_group_is_that_group(void **state)
{
	static const char *const groups[] = {"", "/machine.slice",
		"/machine.slice/qemu-1.scope", "/machine.slice/qemu-1.scope/libvirt"};
	static const unsigned int used_s[] = {20, 20, 20, 20};
	struct fixture *f = *state;
	struct vm *vm = f->table->vms[0];

	free(vm->confine.path);
	vm->confine.path = xstrdup("/machine.slice/qemu-1.scope/libvirt");
	vm->domain = cpuset_below(4);
	look_twice(f, groups, used_s, 4);
	assert_true(is_near(background_cpus(&f->table->engine), 0));
}

static void
a_little_more_changes_nothing_of_what_plans_see(void **state)
{
	static const char *const groups[] = {"", "/system.slice"};
	static const unsigned int used_s[] = {16, 16};
	struct fixture *f = *state;

	write_cpus(f, "/system.slice", "4-7\n");
	look_twice(f, groups, used_s, 2);
	assert_true(is_near(of_cpu(f, 7), 0.4));
	write_used(f, "", 34);
	write_used(f, "/system.slice", 34);
	look(f);
	assert_true(is_near(of_cpu(f, 7), 0.4));
}

static double *
full(double load)
{
	double *shown = xcalloc(CPUSET_CAP, sizeof(*shown));

	for (unsigned int cpu = 0; cpu < 4; cpu++)
		shown[cpu] = load;
	return shown;
}

static void
new_vms_go_where_others_are_not_and_old_ones_stay(void **state)
{
	struct fixture *f = *state;
	struct engine *e = &f->table->engine;
	struct cpuset first = cpuset_below(4);
	struct err why = ERR_NONE;

	e->n_vms = 1;
	e->background.bound = full(1);
	assert_int_equal(planning_run(e, false, &why), 0);
	assert_false(cpuset_overlap(&e->vms[0]->domain, &first));
	free(e->background.bound);
	e->background.bound = NULL;
	vmtable_place(e->vms[0], &first);
	e->vms[0]->changed_us = 0;
	e->background.bound = full(0.5);
	assert_int_equal(planning_run(e, false, &why), 0);
	assert_true(cpuset_equal(&e->vms[0]->domain, &first));
	assert_int_equal(e->vms[0]->changed_us, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_known_before_the_second_look),
		TEST(services_are_one_and_containers_one_by_one),
		TEST(planned_vms_are_not_others_and_unknown_scopes_are),
		TEST(a_vm_that_is_left_alone_counts_by_its_use_and_only_once),
		TEST(a_vm_deep_in_a_group_is_that_group),
		TEST(a_little_more_changes_nothing_of_what_plans_see),
		TEST(new_vms_go_where_others_are_not_and_old_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
