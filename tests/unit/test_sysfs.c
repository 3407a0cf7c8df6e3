// SPDX-License-Identifier: MIT
/* The kernel's CPU and node files: every form they have had, and none they cannot have.
 */
#include "config.h"

#include "host/sysfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "trees.h"

#define CPU TREES_SYSTEM "cpu/"
#define PARTITIONS "sys/fs/cgroup/cpuset.cpus.isolated"
#define NODE TREES_SYSTEM "node/"

static void
assert_list(const struct cpuset *set, const char *list)
{
	char text[CPUSET_TEXT_MAX];

	assert_string_equal(cpuset_format(set, text, sizeof(text)), list);
}

static void
assert_online(const char *dir, const char *list)
{
	struct sysfs_facts f = {0};
	struct err e = ERR_NONE;

	if (sysfs_read(dir, &f, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	assert_list(&f.online, list);
	sysfs_fini(&f);
}

static void
a_plain_tree_is_read_whole(void **state)
{
	const unsigned int distances[] = {10, 21, 21, 10};
	struct sysfs_facts f = {0};

	assert_int_equal(sysfs_read(*state, &f, NULL), 0);
	assert_list(&f.online, "0-3");
	assert_true(cpuset_empty(&f.isolated));
	assert_int_equal(f.n_nodes, 2);
	assert_int_equal(f.nodes[1].facts.id, 4);
	assert_list(&f.nodes[1].cpus, "1,3");
	assert_true(f.nodes[1].facts.mem_known);
	assert_int_equal(f.nodes[1].facts.mem_kib, 2048);
	assert_int_equal(f.nodes[1].facts.free_kib, 1000);
	assert_memory_equal(f.distances, distances, sizeof(distances));
	sysfs_fini(&f);
}

static void
without_a_list_each_cpu_says_whether_it_is_online(void **state)
{
	const char *dir = *state;

	trees_cut(dir, CPU "online");
	trees_write(dir, CPU "cpu1/online", "0\n");
	trees_write(dir, CPU "cpu2/online", "1\n");
	trees_write(dir, CPU "cpu3/online", "");
	trees_write(dir, CPU "cpufreq/boost", "1\n");
	trees_write(dir, CPU "cpuidle/none", "");
	assert_online(dir, "0,2-3");
}

static void
files_may_end_in_nul_or_blanks(void **state)
{
	const char *dir = *state;

	trees_write_bytes(dir, CPU "online", "0-2\n\0", 5);
	assert_online(dir, "0-2");
	trees_write_bytes(dir, CPU "online", "0-1\0", 4);
	assert_online(dir, "0-1");
	trees_write(dir, CPU "online", "0-3 \r\n");
	assert_online(dir, "0-3");
}

static void
lists_win_over_maps_and_empty_ones_are_empty(void **state)
{
	const char *dir = *state;
	struct sysfs_facts f = {0};

	trees_write(dir, NODE "node0/cpulist", "0\n");
	trees_write(dir, NODE "node4/cpumap", "");
	trees_write(dir, NODE "node4/meminfo", "");
	trees_write(dir, NODE "node4/distance", "");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_list(&f.nodes[0].cpus, "0");
	assert_true(cpuset_empty(&f.nodes[1].cpus));
	assert_false(f.nodes[1].facts.mem_known);
	assert_null(f.distances);
	sysfs_fini(&f);
}

static void
siblings_have_four_names_and_the_first_counts(void **state)
{
	const char *dir = *state;
	struct sysfs_facts f = {0};

	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_int_equal(f.core_of[2], 0);
	assert_int_equal(f.core_of[3], 1);
	assert_int_equal(f.core_of[4], TOPO_NONE);
	sysfs_fini(&f);
	trees_write_of(dir, "cpu/cpu", 2, "topology/core_cpus_list", "2-3\n");
	trees_write_of(dir, "cpu/cpu", 3, "topology/core_cpus_list", "2-3\n");
	trees_write_of(dir, "cpu/cpu", 3, "topology/thread_siblings", "9\n");
	trees_cut(dir, CPU "cpu0/topology");
	/* siblings that are offline do not count */
	trees_write(dir, CPU "online", "1-3\n");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_int_equal(f.core_of[0], TOPO_NONE);
	assert_int_equal(f.core_of[2], 2);
	assert_int_equal(f.core_of[3], 3);
	sysfs_fini(&f);
}

static void
without_a_node_list_the_directories_count(void **state)
{
	const char *dir = *state;
	struct sysfs_facts f = {0};

	trees_cut(dir, NODE "online");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_int_equal(f.n_nodes, 2);
	sysfs_fini(&f);
	trees_cut(dir, NODE "node0/distance");
	trees_cut(dir, NODE "node0/meminfo");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_null(f.distances);
	assert_false(f.nodes[0].facts.mem_known);
	sysfs_fini(&f);
	trees_cut(dir, TREES_SYSTEM "node");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_int_equal(f.n_nodes, 0);
	sysfs_fini(&f);
}

static void
isolated_is_what_the_command_line_and_partitions_took_away(void **state)
{
	const char *dir = *state;
	struct sysfs_facts f = {0};

	trees_write(dir, CPU "isolated", "1\n");
	trees_write(dir, CPU "nohz_full", "3\n");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_list(&f.isolated, "1,3");
	assert_list(&f.isolcpus, "1");
	sysfs_fini(&f);
	trees_write(dir, CPU "nohz_full", "  (null)\n");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_list(&f.isolated, "1");
	sysfs_fini(&f);
	trees_write(dir, PARTITIONS, "\n");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_list(&f.isolated, "1");
	sysfs_fini(&f);
	trees_write(dir, PARTITIONS, "2,9\n");
	assert_int_equal(sysfs_read(dir, &f, NULL), 0);
	assert_list(&f.isolated, "1-2,9");
	assert_list(&f.isolcpus, "1");
	sysfs_fini(&f);
}

static void
offline_is_what_is_there_and_not_online(void **state)
{
	static const struct {
		const char *present; /* NULL: no such file */
		const char *want;
	} cases[] = {{"0-5\n", "2,4-5"}, {"0-1,3\n", ""}, {"0-9999\n", ""},
		{"all\n", ""}, {NULL, "2,12"}};
	const char *dir = *state;

	trees_write(dir, CPU "online", "0-1,3\n");
	trees_write(dir, CPU "cpu12/online", "0\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sysfs_facts f = {0};

		if (cases[i].present != NULL)
			trees_write(dir, CPU "present", cases[i].present);
		else
			trees_cut(dir, CPU "present");
		assert_int_equal(sysfs_read(dir, &f, NULL), 0);
		assert_list(&f.offline, cases[i].want);
		sysfs_fini(&f);
	}
}

static void
what_cannot_be_understood_is_refused_and_named(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int result;
	} cases[] = {
		{CPU "online", "all\n", -EINVAL},
		{CPU "online", "0-2048\n", -ERANGE},
		{CPU "online", "\n", -EINVAL},
		{CPU "isolated", "none", -EINVAL},
		{CPU "cpu1/topology/core_cpus", "0xa", -EINVAL},
		{CPU "cpu1/topology/thread_siblings_list", "0-9999", -ERANGE},
		{CPU "nohz_full", "0-4294967295", -ERANGE},
		{PARTITIONS, "some\n", -EINVAL},
		{NODE "online", "0,1024\n", -ERANGE},
		{NODE "online", "0-4294967295\n", -ERANGE},
		{NODE "node0/cpumap", "xyz\n", -EINVAL},
		{NODE "node0/cpulist", "0-\n", -EINVAL},
		{NODE "node4/distance", "21\n", -EINVAL},
		{NODE "node4/distance", "21 10 5\n", -EINVAL},
		{NODE "node4/distance", "21 -1\n", -EINVAL},
		{NODE "node4/distance", "21 65536\n", -ERANGE},
		{NODE "node4/distance", "21 99999999999999999999\n", -ERANGE},
		{NODE "node4/meminfo", "MemFree: 5 kB\n", -EINVAL},
		{NODE "node4/meminfo", "MemTotal: 99999999999999999999 kB\n", -EINVAL},
		{NODE "node4/meminfo", "MemTotal: 5 MB\n", -EINVAL},
		{NODE "node4/meminfo", "MemTotal: -5 kB\n", -EINVAL},
	};

	trees_remove(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sysfs_facts f = {.n_nodes = 77};
		struct err e = ERR_NONE;
		int r;

		(void)trees_setup_host(state);
		trees_write(*state, cases[i].name, cases[i].text);
		r = sysfs_read(*state, &f, &e);
		if (r != cases[i].result || strstr(e.source, cases[i].name) == NULL)
			fail_msg("%s \"%s\": %d %s: %s", cases[i].name, cases[i].text,
				r, e.source, e.text);
		assert_int_equal(f.n_nodes, 77);
		trees_remove(*state);
	}
	(void)trees_setup_host(state);
}

static void
directory_names_have_caps_too(void **state)
{
	static const char *const names[] = {
		CPU "cpu2048/x", CPU "cpu99999999999999999999/x", NODE "node1024/x"};
	const char *dir = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct sysfs_facts f = {0};
		struct err e = ERR_NONE;

		trees_write(dir, names[i], "");
		assert_int_equal(sysfs_read(dir, &f, &e), -ERANGE);
		assert_non_null(strstr(e.source, TREES_SYSTEM));
		trees_cut(dir, i < 2 ? TREES_SYSTEM "cpu/cpu2048" : NODE "node1024");
		if (i == 1)
			trees_cut(dir, CPU "cpu99999999999999999999");
	}
	assert_online(dir, "0-3");
}

static void
files_that_are_no_files_are_refused(void **state)
{
	const char *dir = *state;
	auto_free char *path = trees_path(dir, CPU "isolated");
	struct sysfs_facts f = {0};
	struct err e = ERR_NONE;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sysfs_read(dir, &f, &e), -EINVAL);
	assert_string_equal(e.source, path);
	trees_cut(dir, CPU "isolated");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(sysfs_read(dir, &f, NULL), -EINVAL);
	trees_cut(dir, CPU "isolated");
	assert_int_equal(symlink("isolated", path), 0);
	assert_int_equal(sysfs_read(dir, &f, NULL), -ELOOP);
	trees_cut(dir, CPU "isolated");
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(sysfs_read(dir, &f, NULL), -EINVAL);
	trees_cut(dir, CPU "isolated");
	trees_write(dir, CPU "isolated", "0");
	assert_int_equal(truncate(path, 1 << 30), 0);
	assert_int_equal(sysfs_read(dir, &f, NULL), -ERANGE);
}

static void
missing_files_are_named(void **state)
{
	const char *dir = *state;
	struct sysfs_facts f = {0};
	struct err e = ERR_NONE;

	trees_write(dir, NODE "online", "0,4-5\n");
	assert_int_equal(sysfs_read(dir, &f, &e), -ENOENT);
	assert_non_null(strstr(e.source, "node/node5"));
	err_clear(&e);
	trees_cut(dir, TREES_SYSTEM "cpu");
	assert_int_equal(sysfs_read(dir, &f, &e), -ENOENT);
	assert_non_null(strstr(e.source, "system/cpu"));
}

#define WITH_TREE(f) \
	cmocka_unit_test_setup_teardown(f, trees_setup_host, trees_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(a_plain_tree_is_read_whole),
		WITH_TREE(without_a_list_each_cpu_says_whether_it_is_online),
		WITH_TREE(files_may_end_in_nul_or_blanks),
		WITH_TREE(lists_win_over_maps_and_empty_ones_are_empty),
		WITH_TREE(siblings_have_four_names_and_the_first_counts),
		WITH_TREE(without_a_node_list_the_directories_count),
		WITH_TREE(isolated_is_what_the_command_line_and_partitions_took_away),
		WITH_TREE(offline_is_what_is_there_and_not_online),
		WITH_TREE(what_cannot_be_understood_is_refused_and_named),
		WITH_TREE(directory_names_have_caps_too),
		WITH_TREE(files_that_are_no_files_are_refused),
		WITH_TREE(missing_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
