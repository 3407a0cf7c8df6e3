// SPDX-License-Identifier: MIT
/* Cgroup files as systemd and the kernel write them, and damaged ones. */
#include "config.h"

#include "host/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "host/cgrouptext.h"
#include "mutate.h"
#include "trees.h"

#define TOP "sys/fs/cgroup/"
#define SCOPE "/qemu.slice/103.scope"

struct fixture {
	char *dir;
	int fd;
	int procfd;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = trees_new();
	trees_write(f->dir, TOP "cgroup.controllers", "cpuset cpu memory hugetlb\n");
	trees_write(f->dir, TOP "cpuset.cpus.effective", "0-63\n");
	trees_write(f->dir, TOP "qemu.slice/cpuset.cpus.effective", "8-63\n");
	trees_write(f->dir, TOP "qemu.slice/cpu.max", "800000 100000\n");
	trees_write(f->dir, TOP "qemu.slice/103.scope/cpu.max", "max 100000\n");
	trees_write(f->dir, TOP "qemu.slice/103.scope/cpu.stat",
		"usage_usec 123456\nuser_usec 100000\n");
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", "4711\n0\n12\n");
	trees_write(f->dir, "proc/4711/cgroup", "1:name=systemd:/x\n0::" SCOPE "\n");
	f->procfd = -1;
	*state = f;
	return 0;
}

/* Descriptors, when the tree is as the test wants it. */
static void
open_tree(struct fixture *f)
{
	struct err e = ERR_NONE;
	auto_free char *proc = xasprintf("%s/proc", f->dir);

	f->fd = cgroup_open(f->dir, &e);
	assert_true(f->fd >= 0);
	f->procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->procfd >= 0);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->procfd >= 0) {
		(void)close(f->fd);
		(void)close(f->procfd);
	}
	trees_remove(f->dir);
	free(f);
	return 0;
}

static void
the_group_of_a_process_is_named(void **state)
{
	struct fixture *f = *state;
	char path[CGROUP_PATH_MAX];

	open_tree(f);
	assert_int_equal(cgroup_of_process(f->procfd, 4711, path), 0);
	assert_string_equal(path, SCOPE);
	assert_int_equal(cgroup_of_process(f->procfd, 4712, path), -ESRCH);
}

static void
paths_that_lead_elsewhere_are_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"0::/\n", 0},
		{"0::/a/b c.scope\n", 0},
		{"1:name=systemd:/x\n", -ENODATA},
		{"", -ENODATA},
		{"0::/../../x\n", -ENODATA},
		{"0::/a.scope (deleted)\n", -ENODATA},
		{"0::/a/../../etc\n", -EINVAL},
		{"0::relative\n", -EINVAL},
		{"0::\n", -EINVAL},
		{"0::/too-long-for-it\n", -E2BIG},
	};
	char path[14];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = cgrouptext_path(cases[i].text, path, sizeof(path));

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].text, r);
	}
	assert_string_equal(path, "/a/b c.scope");
}

static void
cpus_come_from_the_nearest_group_that_has_them(void **state)
{
	struct fixture *f = *state;
	struct cpuset cpus;
	char text[CPUSET_TEXT_MAX];

	open_tree(f);
	assert_int_equal(cgroup_cpus(f->fd, SCOPE, &cpus), 0);
	assert_string_equal(cpuset_format(&cpus, text, sizeof(text)), "8-63");
	assert_int_equal(cgroup_cpus(f->fd, "/", &cpus), 0);
	assert_string_equal(cpuset_format(&cpus, text, sizeof(text)), "0-63");
	assert_int_equal(cgroup_cpus(f->fd, "/qemu.slice/104.scope", &cpus), -ENOENT);
	trees_write(f->dir, TOP "qemu.slice/103.scope/cpuset.cpus.effective", "9-x\n");
	assert_int_equal(cgroup_cpus(f->fd, SCOPE, &cpus), -EINVAL);
}

static void
processes_are_read_again_from_an_open_file(void **state)
{
	struct fixture *f = *state;
	char many[8192] = "";
	pid_t *pids;
	int fd;

	open_tree(f);
	assert_int_equal(cgroup_processes_open(f->fd, "/none"), -ENOENT);
	fd = cgroup_processes_open(f->fd, SCOPE);
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(cgroup_processes_reread(fd, &pids), 2);
		assert_int_equal(pids[0], 12);
		assert_int_equal(pids[1], 4711);
		free(pids);
	}
	for (unsigned int i = 0; i < 1023; i++)
		memcpy(&many[4 * i], "123\n", 5);
	many[4 * 200] = '\0';
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", many);
	assert_int_equal(cgroup_processes_reread(fd, &pids), 200);
	free(pids);
	many[4 * 200] = '1';
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", many);
	assert_int_equal(cgroup_processes_reread(fd, &pids), -E2BIG);
	assert_int_equal(cgroup_processes(f->fd, SCOPE, &pids), -E2BIG);
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", "1\n-2\n");
	assert_int_equal(cgroup_processes_reread(fd, &pids), -EINVAL);
	(void)close(fd);
}

static void
the_least_quota_counts(void **state)
{
	struct fixture *f = *state;
	double cpus;

	open_tree(f);
	assert_int_equal(cgroup_quota(f->fd, SCOPE, &cpus), 0);
	assert_true(cpus > 7.99 && cpus < 8.01);
	trees_write(f->dir, TOP "qemu.slice/103.scope/cpu.max", "150000 100000\n");
	assert_int_equal(cgroup_quota(f->fd, SCOPE, &cpus), 0);
	assert_true(cpus > 1.49 && cpus < 1.51);
	assert_int_equal(cgroup_quota(f->fd, "/", &cpus), 0);
	assert_true(cpus <= 0);
}

static void
odd_quotas_are_refused(void **state)
{
	static const char *const cases[] = {"", "max", "100000", "0 100000", "1 0",
		"-1 100000", "max 100000 7", "1e3 100000", "99999999999999999999 1"};
	double cpus = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cgrouptext_quota(cases[i], &cpus) != -EINVAL)
			fail_msg("\"%s\" is taken", cases[i]);
	}
	assert_true(cpus > 4.9 && cpus < 5.1);
}

static void
used_time_is_read(void **state)
{
	struct fixture *f = *state;
	uint64_t us;

	open_tree(f);
	assert_int_equal(cgroup_used_us(f->fd, SCOPE, &us), 0);
	assert_int_equal(us, 123456);
	assert_int_equal(cgroup_used_us(f->fd, "/qemu.slice", &us), -ENODATA);
	assert_int_equal(cgroup_used_us(f->fd, "/nowhere", &us), -ENOENT);
}

static void
memory_is_what_a_guest_has_not_what_is_cached(void **state)
{
	struct fixture *f = *state;
	struct cgroup_memory m;

	open_tree(f);
	assert_int_equal(cgroup_memory(f->fd, SCOPE, &m), -ENODATA);
	trees_write(f->dir, TOP "qemu.slice/103.scope/memory.numa_stat",
		"anon N0=4096 N2=8192\nfile N0=999999 N2=0\nanon_thp N0=1 N2=1\n"
		"shmem N0=0 N2=4096\n");
	assert_int_equal(cgroup_memory(f->fd, SCOPE, &m), 0);
	assert_int_equal(m.n_nodes, 3);
	assert_int_equal(m.bytes[0], 4096);
	assert_int_equal(m.bytes[1], 0);
	assert_int_equal(m.bytes[2], 12288);
	cgroup_memory_fini(&m);
}

static void
huge_pages_of_every_size_count(void **state)
{
	struct fixture *f = *state;
	struct cgroup_memory m;

	open_tree(f);
	trees_write(f->dir, TOP "qemu.slice/103.scope/memory.numa_stat",
		"anon N0=4096 N1=0\nshmem N0=0 N1=0\n");
	trees_write(f->dir, TOP "qemu.slice/103.scope/hugetlb.2MB.numa_stat",
		"total=2097152 N0=0 N1=2097152\n");
	trees_write(f->dir, TOP "qemu.slice/103.scope/hugetlb.1GB.numa_stat",
		"total=1073741824 N0=1073741824 N1=0\n");
	assert_int_equal(cgroup_memory(f->fd, SCOPE, &m), 0);
	assert_int_equal(m.bytes[0], 1073741824 + 4096);
	assert_int_equal(m.bytes[1], 2097152);
	cgroup_memory_fini(&m);
}

static void
processes_are_listed_in_order_without_strangers(void **state)
{
	struct fixture *f = *state;
	pid_t *pids;

	open_tree(f);
	assert_int_equal(cgroup_processes(f->fd, SCOPE, &pids), 2);
	assert_int_equal(pids[0], 12);
	assert_int_equal(pids[1], 4711);
	free(pids);
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", "12\nx\n");
	assert_int_equal(cgroup_processes(f->fd, SCOPE, &pids), -EINVAL);
	trees_write(f->dir, TOP "qemu.slice/103.scope/cgroup.procs", "");
	assert_int_equal(cgroup_processes(f->fd, SCOPE, &pids), 0);
	free(pids);
}

static void
children_are_groups_not_files(void **state)
{
	struct fixture *f = *state;
	char **paths;

	open_tree(f);
	assert_int_equal(cgroup_children(f->fd, "/qemu.slice", &paths), 1);
	assert_string_equal(paths[0], SCOPE);
	free(paths[0]);
	free(paths);
	assert_int_equal(cgroup_children(f->fd, "/", &paths), 1);
	assert_string_equal(paths[0], "/qemu.slice");
	free(paths[0]);
	free(paths);
	assert_int_equal(cgroup_children(f->fd, "/nowhere", &paths), -ENOENT);
}

static void
a_host_without_version_2_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;

	trees_cut(f->dir, TOP "cgroup.controllers");
	assert_int_equal(cgroup_open(f->dir, &e), -ENODATA);
	assert_false(err_is_set(&e));
	trees_write(f->dir, TOP "unified/cgroup.controllers", "");
	f->fd = cgroup_open(f->dir, &e);
	assert_true(f->fd >= 0);
	(void)close(f->fd);
}

static void
damaged_texts_do_no_harm(void **state)
{
	static const char whole[] = "anon N0=4096 N2=8192\nshmem N0=0 N2=4096\n"
				    "total=2097152 N0=0 N1=2097152\nusage_usec 12\n";
	uint64_t bytes[CGROUPTEXT_NODES_MAX] = {0};
	uint64_t seed = 88172645463325252u;
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < 50000; i++) {
		char text[256] = {0};
		char path[32];
		unsigned int n = 0;
		uint64_t value;
		double cpus;

		memcpy(text, whole, sizeof(whole));
		text[mutate_text(text, sizeof(whole) - 1, sizeof(text) - 1, &seed)] =
			'\0';
		taken += cgrouptext_nodes(text, "anon", bytes, &n) == 0;
		taken += cgrouptext_nodes(text, "total", bytes, &n) == 0;
		taken += cgrouptext_value(text, "usage_usec", &value) == 0;
		taken += cgrouptext_quota(text, &cpus) == 0;
		taken += cgrouptext_path(text, path, sizeof(path)) == 0;
		assert_true(n <= CGROUPTEXT_NODES_MAX);
	}
	assert_true(taken > 1000); /* most damage is elsewhere */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_group_of_a_process_is_named),
		TEST(paths_that_lead_elsewhere_are_refused),
		TEST(cpus_come_from_the_nearest_group_that_has_them),
		TEST(processes_are_read_again_from_an_open_file),
		TEST(the_least_quota_counts),
		TEST(odd_quotas_are_refused),
		TEST(used_time_is_read),
		TEST(memory_is_what_a_guest_has_not_what_is_cached),
		TEST(huge_pages_of_every_size_count),
		TEST(processes_are_listed_in_order_without_strangers),
		TEST(children_are_groups_not_files),
		TEST(a_host_without_version_2_is_told_apart),
		TEST(damaged_texts_do_no_harm),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
