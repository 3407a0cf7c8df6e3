// SPDX-License-Identifier: MIT
/* Memory of VMs and nodes in a tree of files, and what the planner is told of it. */
#include "config.h"

#include "daemon/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/seating.h"
#include "host/cgroup.h"
#include "place/planner.h"
#include "trees.h"
#include "vmtable.h"

#define SCOPE "sys/fs/cgroup/qemu.slice/100.scope/"
#define ROUND_MS 10000u

struct fixture {
	struct vmtable *table;
	char *dir;
	struct vm *vm; /* 100, process 4711; 101 is process 12 */
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_free char *proc = NULL;
	void *table;

	(void)vmtable_setup(&table);
	f->table = table;
	f->dir = trees_new();
	f->vm = f->table->vms[0];
	f->vm->identity.pid = 4711;
	f->table->vms[1]->identity.pid = 12;
	trees_write(f->dir, "sys/fs/cgroup/cgroup.controllers", "memory\n");
	trees_write(f->dir, SCOPE "cgroup.procs", "4711\n");
	trees_write(f->dir, SCOPE "memory.numa_stat",
		"anon N0=1073741824 N1=3221225472\nshmem N0=0 N1=0\n");
	trees_write(f->dir, "proc/sys/kernel/numa_balancing", "0\n");
	proc = xasprintf("%s/proc", f->dir);
	f->table->engine.procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->table->engine.cgroupfd = cgroup_open(f->dir, NULL);
	f->vm->confine.path = xstrdup("/qemu.slice/100.scope");
	f->table->engine.memory = memory_new(&f->table->engine, f->dir, false);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	void *table = f->table;

	memory_free(f->table->engine.memory);
	(void)close(f->table->engine.procfd);
	(void)close(f->table->engine.cgroupfd);
	for (unsigned int i = 0; i < VMTABLE_VMS; i++)
		f->table->vms[i]->identity.pid = 0;
	(void)vmtable_teardown(&table);
	trees_remove(f->dir);
	free(f);
	return 0;
}

static void
write_file(struct fixture *f, const char *name, const char *text)
{
	trees_write(f->dir, name, text);
}

/* A round of all VMs and of the host. */
static void
look(struct fixture *f)
{
	f->table->now_us += ROUND_MS * UINT64_C(1000);
	memory_turn(&f->table->engine, ROUND_MS);
}

static void
tell_memory(struct fixture *f, const char *devs, const char *dimms)
{
	json_t *a = json_loads(devs, 0, NULL);
	json_t *b = json_loads(dimms, 0, NULL);

	assert_int_equal(memdevs_read(&f->vm->facts.memory, a, NULL), 0);
	assert_int_equal(memdevs_read_dimms(&f->vm->facts.memory, b, NULL), 0);
	json_decref(a);
	json_decref(b);
}

static void
expect_share(struct fixture *f, double first)
{
	struct seating s;

	seating_init(&s, &f->table->engine);
	if (first < 0) {
		assert_null(s.in.vms[0].memory_share);
	} else {
		assert_non_null(s.in.vms[0].memory_share);
		assert_float_equal(
			(float)(s.in.vms[0].memory_share[0]), (float)first, 1e-5f);
	}
	seating_fini(&s);
}

static bool
has_warning(struct fixture *f, const char *text)
{
	char *warnings[MEMORY_WARNINGS_MAX];
	size_t n = memory_warnings(&f->table->engine, warnings);
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		found = found || strstr(warnings[i], text) != NULL;
		free(warnings[i]);
	}
	return found;
}

static void
the_cgroup_of_a_vm_tells_where_its_memory_is(void **state)
{
	struct fixture *f = *state;
	struct cpuset first = cpuset_below(4);
	struct cpuset second = cpuset_below(8);

	second = cpuset_minus(&second, &first);
	assert_true(memory_local_pct(&f->table->engine, f->vm) < 0);
	memory_see(&f->table->engine, f->vm);
	expect_share(f, 0.25);
	vmtable_place(f->vm, &second);
	assert_float_equal(
		(float)(memory_local_pct(&f->table->engine, f->vm)), 75, 1e-5f);
}

static void
a_cgroup_with_others_in_it_tells_nothing(void **state)
{
	struct fixture *f = *state;

	write_file(f, SCOPE "cgroup.procs", "12\n4711\n");
	memory_see(&f->table->engine, f->vm);
	expect_share(f, -1);
	assert_true(has_warning(f, "where the memory of 1 VM is not known; vm 100"));
	/* but for its helpers: who they are others know */
	f->vm->kin.alone = true;
	look(f);
	look(f);
	expect_share(f, 0.25);
	assert_false(has_warning(f, "vm 100"));
}

static void
helpers_elsewhere_are_strangers(void **state)
{
	struct fixture *f = *state;

	write_file(f, "sys/fs/cgroup/user/cgroup.procs", "13\n4711\n");
	write_file(f, "sys/fs/cgroup/user/memory.numa_stat",
		"anon N0=4294967296\nshmem N0=0\n");
	free(f->vm->confine.path);
	f->vm->confine.path = xstrdup("/user");
	f->vm->kin.alone = true;
	memory_see(&f->table->engine, f->vm);
	expect_share(f, -1);
}

static void
huge_pages_are_found_in_the_process(void **state)
{
	struct fixture *f = *state;

	tell_memory(f,
		"[{\"id\":\"ram-node0\",\"size\":17179869184,\"host-nodes\":[],"
		"\"policy\":\"default\"}]",
		"[]");
	write_file(f, SCOPE "memory.numa_stat", "anon N0=4096 N1=0\nshmem N0=0 N1=0\n");
	write_file(f, "proc/4711/statm", "9000000 8000 1 1 0 1 0\n");
	write_file(f, "proc/4711/numa_maps",
		"7f1000000000 default file=/dev/hugepages/x huge dirty=3 N0=2048 N1=6144 "
		"kernelpagesize_kB=2048\n");
	memory_see(&f->table->engine, f->vm);
	expect_share(f, 0.25);
}

static void
ignore_makes_it_no_input(void **state)
{
	struct fixture *f = *state;

	memory_see(&f->table->engine, f->vm);
	vmtable_configure(f->table, "[vm 100]\nmemory = ignore\n");
	expect_share(f, -1);
}

static void
host_nodes_bind_the_guests_nodes(void **state)
{
	struct fixture *f = *state;
	struct seating s;

	tell_memory(f,
		"[{\"id\":\"ram-node1\",\"size\":1073741824,\"host-nodes\":[0],"
		"\"policy\":\"bind\"},{\"id\":\"ram-node0\",\"size\":1073741824,"
		"\"host-nodes\":[0,1],\"policy\":\"interleave\"}]",
		"[]");
	seating_init(&s, &f->table->engine);
	assert_int_equal(s.in.vms[0].n_guest_nodes, 2);
	assert_int_equal(cpuset_count(&s.in.vms[0].guest_nodes[0].host_nodes), 2);
	assert_int_equal(cpuset_count(&s.in.vms[0].guest_nodes[1].host_nodes), 1);
	assert_true(cpuset_has(&s.in.vms[0].guest_nodes[1].host_nodes, 0));
	assert_float_equal((float)(s.in.vms[0].memory_gib), 2, 1e-5f);
	seating_fini(&s);
}

static void
a_guest_without_nodes_can_be_bound(void **state)
{
	struct fixture *f = *state;
	struct err why = ERR_NONE;
	struct cpuset first = cpuset_below(4);
	struct seating s;
	struct plan *plan;

	for (unsigned int i = 0; i < VMTABLE_VCPUS; i++)
		f->vm->facts.vcpus[i].node = -1;
	tell_memory(f,
		"[{\"id\":\"mem\",\"size\":1073741824,\"host-nodes\":[1],"
		"\"policy\":\"bind\"}]",
		"[]");
	seating_init(&s, &f->table->engine);
	assert_int_equal(s.in.vms[0].n_guest_nodes, 1);
	assert_int_equal(planner_run(&s.in, &plan, &why), 0);
	assert_false(cpuset_overlap(&plan->results[0].domain, &first));
	plan_free(plan);
	seating_fini(&s);
}

static void
plugged_memory_without_host_nodes_is_told_once(void **state)
{
	struct fixture *f = *state;
	char *note;

	assert_null(memory_note(f->vm));
	tell_memory(f,
		"[{\"id\":\"ram-node0\",\"size\":1073741824,\"host-nodes\":[0],"
		"\"policy\":\"bind\"},{\"id\":\"d\",\"size\":1073741824,"
		"\"host-nodes\":[],\"policy\":\"default\"}]",
		"[{\"type\":\"dimm\",\"data\":{\"memdev\":\"/objects/d\",\"node\":0}}]");
	memory_see(&f->table->engine, f->vm);
	memory_see(&f->table->engine, f->vm);
	note = memory_note(f->vm);
	assert_string_equal(note, "1 plugged DIMM has no host nodes");
	free(note);
	assert_int_equal(
		logcatch_count(&f->table->log, "1 plugged DIMM has no host nodes"), 1);
}

static void
free_memory_is_taken_over_in_steps(void **state)
{
	struct fixture *f = *state;
	const struct topo_node *node = &f->table->engine.host.topo->nodes[1];
	const char *name = "sys/devices/system/node/node1/meminfo";

	write_file(f, name, "Node 1 MemTotal: 64000 kB\nNode 1 MemFree: 32900 kB\n");
	look(f);
	assert_int_equal(node->free_kib, 32000);
	write_file(f, name, "Node 1 MemTotal: 64000 kB\nNode 1 MemFree: 33900 kB\n");
	look(f);
	assert_int_equal(node->free_kib, 32000);
	write_file(f, name, "Node 1 MemTotal: 64000 kB\nNode 1 MemFree: 29900 kB\n");
	look(f);
	assert_int_equal(node->free_kib, 29000);
}

static void
what_is_balanced_counts_less_and_less(void **state)
{
	struct fixture *f = *state;
	struct cpuset first = cpuset_below(4);
	struct cpuset second = cpuset_below(8);

	second = cpuset_minus(&second, &first);
	write_file(f, SCOPE "memory.numa_stat",
		"anon N0=0 N1=4294967296\nshmem N0=0 N1=0\n");
	look(f);
	vmtable_place(f->vm, &first);
	f->vm->changed_us = f->table->now_us;
	write_file(f, "proc/sys/kernel/numa_balancing", "1\n");
	expect_share(f, 0);
	look(f);
	f->table->now_us = f->vm->changed_us + UINT64_C(300000000);
	expect_share(f, 0.5);
	for (size_t i = 0; i < f->vm->n_tasks; i++)
		f->vm->tasks[i].want = second; /* not where it is */
	expect_share(f, 0.5);
	assert_int_equal(
		logcatch_count(&f->table->log, "kernel.numa_balancing is on"), 1);
	f->vm->placed = false; /* nowhere yet: where it is counts in full */
	expect_share(f, 0);
}

static void
scans_of_the_kernel_tell_where_its_setting_is_hidden(void **state)
{
	struct fixture *f = *state;
	struct cpuset first = cpuset_below(4);

	trees_cut(f->dir, "proc/sys");
	vmtable_place(f->vm, &first);
	write_file(f, "proc/4711/sched", "mm->numa_scan_seq   :       5\n");
	look(f);
	f->vm->changed_us = f->table->now_us - UINT64_C(300000000);
	look(f);
	expect_share(f, 0.25);
	write_file(f, "proc/4711/sched", "mm->numa_scan_seq   :       6\n");
	look(f);
	f->vm->changed_us = f->table->now_us - UINT64_C(300000000);
	expect_share(f, 0.625);
}

static void
numad_is_told_once(void **state)
{
	struct fixture *f = *state;

	write_file(f, "run/numad.pid", "77\n");
	write_file(f, "proc/77/comm", "bash\n"); /* a file that was left behind */
	look(f);
	assert_false(has_warning(f, "numad"));
	write_file(f, "proc/77/comm", "numad\n");
	look(f);
	look(f);
	assert_int_equal(logcatch_count(&f->table->log, "numad runs"), 1);
	assert_true(has_warning(f, "numad runs"));
}

static void
damaged_files_tell_nothing(void **state)
{
	static const char *const files[] = {SCOPE "memory.numa_stat",
		SCOPE "cgroup.procs", "proc/4711/sched", "proc/4711/numa_maps",
		"proc/4711/statm", "run/numad.pid", "proc/sys/kernel/numa_balancing",
		"sys/devices/system/node/node0/meminfo"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		write_file(f, files[i], "\xff\x01 N0=99999999999999999999999 -1 ::=\n");
		look(f);
		look(f);
	}
	expect_share(f, -1);
	assert_true(memory_local_pct(&f->table->engine, f->vm) < 0);
}

#define test_with_files(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_files(the_cgroup_of_a_vm_tells_where_its_memory_is),
		test_with_files(a_cgroup_with_others_in_it_tells_nothing),
		test_with_files(helpers_elsewhere_are_strangers),
		test_with_files(huge_pages_are_found_in_the_process),
		test_with_files(ignore_makes_it_no_input),
		test_with_files(host_nodes_bind_the_guests_nodes),
		test_with_files(a_guest_without_nodes_can_be_bound),
		test_with_files(plugged_memory_without_host_nodes_is_told_once),
		test_with_files(free_memory_is_taken_over_in_steps),
		test_with_files(what_is_balanced_counts_less_and_less),
		test_with_files(scans_of_the_kernel_tell_where_its_setting_is_hidden),
		test_with_files(numad_is_told_once),
		test_with_files(damaged_files_tell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
