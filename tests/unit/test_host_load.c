// SPDX-License-Identifier: MIT
/* Loading a topology: this machine, trees and XML; refusals name the file and leak
 * nothing. */
#include "config.h"

#include "host/load.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "trees.h"

#define CPU TREES_SYSTEM "cpu/"
#define NODE TREES_SYSTEM "node/"

/* A machine of two cores of one thread, one node, as lstopo writes it. */
static const char small_xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
	"<topology version=\"2.0\">\n"
	"  <object type=\"Machine\" os_index=\"0\" cpuset=\"0x00000003\" "
	"complete_cpuset=\"0x00000003\" allowed_cpuset=\"0x00000003\" "
	"nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\" "
	"allowed_nodeset=\"0x00000001\" gp_index=\"1\">\n"
	"    <object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x00000003\" "
	"complete_cpuset=\"0x00000003\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"2\" local_memory=\"1048576\"/>\n"
	"    <object type=\"Core\" os_index=\"0\" cpuset=\"0x00000001\" "
	"complete_cpuset=\"0x00000001\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"3\">\n"
	"      <object type=\"PU\" os_index=\"0\" cpuset=\"0x00000001\" "
	"complete_cpuset=\"0x00000001\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"4\"/>\n"
	"    </object>\n"
	"    <object type=\"Core\" os_index=\"1\" cpuset=\"0x00000002\" "
	"complete_cpuset=\"0x00000002\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"5\">\n"
	"      <object type=\"PU\" os_index=\"1\" cpuset=\"0x00000002\" "
	"complete_cpuset=\"0x00000002\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"6\"/>\n"
	"    </object>\n"
	"  </object>\n"
	"</topology>\n";

/* What a host's CPUs do between the reading of the kernel's files and hwloc's. */
static struct {
	const char *const *online; /* NULL: nothing */
	const char *dir;
	unsigned int n_looks;
} meanwhile;

int __real_hwtree_read(const char *root, struct topo_facts *out, struct err *e);
int __wrap_hwtree_read(const char *root, struct topo_facts *out, struct err *e);

int
__wrap_hwtree_read(const char *root, struct topo_facts *out, struct err *e)
{
	if (meanwhile.online != NULL && meanwhile.online[meanwhile.n_looks] != NULL)
		trees_write(meanwhile.dir, CPU "online",
			meanwhile.online[meanwhile.n_looks]);
	meanwhile.n_looks++;
	return __real_hwtree_read(root, out, e);
}

static struct topo *
load(const char *path)
{
	struct topo *t = NULL;
	struct err e = ERR_NONE;

	if (host_load(path, &t, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	return t;
}

/* Refused with @result, and the message names a file that ends in @name. */
static void
assert_refused(const char *path, int result, const char *name)
{
	struct topo *untouched = (struct topo *)&untouched;
	struct topo *t = untouched;
	struct err e = ERR_NONE;
	int r = host_load(path, &t, &e);

	if (r != result || strstr(e.source, name) == NULL || !err_is_set(&e))
		fail_msg("%d %s: %s", r, e.source, e.text);
	assert_ptr_equal(t, untouched);
}

static void
this_machine_is_read(void **state)
{
	struct topo *t;

	(void)state;
	if (access("/sys/devices/system/cpu/cpu0/topology", R_OK) < 0)
		skip();
	t = load(NULL);
	assert_int_equal(t->n_pus, (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(cpuset_count(&t->online), t->n_pus);
	topo_free(t);
}

static void
a_tree_is_read_with_the_kernels_nodes(void **state)
{
	struct topo *t = load(*state);

	assert_int_equal(t->n_pus, 4);
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->pus[0].core, t->pus[2].core);
	assert_int_equal(t->n_l3, 1);
	assert_int_equal(t->l3[0].size_kib, 8192);
	assert_int_equal(t->n_packages, 1);
	assert_int_equal(t->n_nodes, 2);
	assert_int_equal(t->nodes[1].id, 4);
	assert_int_equal(topo_pu_of(t, 3)->node, 1);
	assert_int_equal(t->nodes[1].free_kib, 1000);
	assert_int_equal(topo_distance(t, 0, 1), 21);
	topo_free(t);
}

static void
nodes_that_hwloc_makes_up_are_dropped(void **state)
{
	const char *dir = *state;
	struct topo *t;

	trees_cut(dir, TREES_SYSTEM "node");
	t = load(dir);
	assert_int_equal(t->n_nodes, 0);
	assert_int_equal(t->pus[0].node, TOPO_NONE);
	topo_free(t);
}

static void
memory_only_nodes_have_no_cpus(void **state)
{
	const char *dir = *state;
	struct topo *t;

	trees_write(dir, NODE "node0/cpumap", "f\n");
	trees_write(dir, NODE "node4/cpumap", "0\n");
	t = load(dir);
	assert_int_equal(cpuset_count(&t->nodes[0].cpus), 4);
	assert_true(cpuset_empty(&t->nodes[1].cpus));
	topo_free(t);
}

static void
offline_cpus_that_a_node_lists_are_ignored(void **state)
{
	const char *dir = *state;
	struct topo *t;

	trees_write(dir, CPU "online", "0-2\n");
	trees_write(dir, NODE "node4/cpumap", "fa\n");
	t = load(dir);
	assert_int_equal(t->n_pus, 3);
	assert_int_equal(cpuset_count(&t->nodes[1].cpus), 1);
	assert_int_equal(t->n_cores, 2);
	topo_free(t);
}

static void
trees_that_contradict_themselves_are_refused(void **state)
{
	const char *dir = *state;

	trees_write(dir, CPU "online", "0-4\n");
	assert_refused(dir, -EINVAL, dir);
	trees_write(dir, CPU "online", "0-3\n");
	trees_write(dir, NODE "node4/cpumap", "b\n");
	assert_refused(dir, -EINVAL, dir);
}

static void
cpus_that_go_while_they_are_read_are_no_contradiction(void **state)
{
	static const char *const once[] = {"0-2\n", NULL};
	static const char *const always[] = {"0-2\n", "0-1\n", "0\n", NULL};
	struct topo *t;

	meanwhile.dir = *state;
	meanwhile.online = once;
	meanwhile.n_looks = 0;
	t = load(*state);
	assert_int_equal(t->n_pus, 3);
	topo_free(t);
	assert_int_equal(meanwhile.n_looks, 2);
	trees_write(*state, CPU "online", "0-3\n");
	meanwhile.online = always;
	meanwhile.n_looks = 0;
	assert_refused(*state, -EINVAL, *state);
	assert_int_equal(meanwhile.n_looks, 3);
	meanwhile.online = NULL;
}

static void
a_tree_that_stays_wrong_is_read_once(void **state)
{
	trees_write(*state, CPU "online", "0-4\n");
	meanwhile.n_looks = 0;
	assert_refused(*state, -EINVAL, *state);
	assert_int_equal(meanwhile.n_looks, 1);
}

static void
the_kernel_says_who_the_siblings_are(void **state)
{
	const char *dir = *state;
	struct topo *t;

	/* hwloc reads the maps only */
	for (int i = 0; i < 4; i++) {
		auto_free char *name = xasprintf(CPU "cpu%d/topology/core_cpus", i);

		trees_cut(dir, name);
		trees_write_of(dir, "cpu/cpu", i, "topology/core_cpus_list",
			i % 2 == 0 ? "0,2,9\n" : "1,3\n");
	}
	t = load(dir);
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->pus[0].core, t->pus[2].core);
	topo_free(t);
}

static void
trees_without_cpu_maps_are_refused(void **state)
{
	const char *dir = *state;

	for (int i = 0; i < 4; i++) {
		auto_free char *name = xasprintf(CPU "cpu%d/topology", i);

		trees_cut(dir, name);
		trees_write_of(dir, "cpu/cpu", i, "topology/core_cpus_list", "0-3\n");
	}
	assert_refused(dir, -EINVAL, dir);
}

static void
what_is_no_topology_is_refused(void **state)
{
	const char *dir = *state;
	auto_free char *missing = xasprintf("%s/missing", dir);

	assert_refused(missing, -ENOENT, missing);
	trees_cut(dir, "sys");
	assert_refused(dir, -ENOENT, dir);
	assert_refused("/dev/null", -EINVAL, "/dev/null");
	assert_refused("", -ENOENT, "");
}

static void
this_machine_is_never_taken_for_another(void **state)
{
	const char *dir = *state;
	auto_free char *path = trees_path(dir, CPU "cpu3/node4");
	auto_free char *sys = xasprintf("%s/sys", dir);
	struct err e = ERR_NONE;
	struct topo *t;

	if (access("/sys/devices/system/cpu", R_OK) < 0)
		skip();
	assert_int_equal(host_load("/", &t, &e), -EINVAL);
	assert_non_null(strstr(e.text, "belongs to this machine"));
	assert_refused("//", -EINVAL, "/sys");
	assert_int_equal(symlink("/sys/devices/system/node/node0", path), 0);
	assert_refused(dir, -EINVAL, "cpu3/node4");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../../node/node4", path), 0);
	topo_free(load(dir));
	trees_cut(dir, "sys");
	assert_int_equal(symlink("/sys", sys), 0);
	assert_refused(dir, -EINVAL, "/sys");
}

static void
traps_in_a_tree_are_seen_before_anybody_steps_in(void **state)
{
	const char *dir = *state;
	auto_free char *path = trees_path(dir, CPU "cpu0/trap");

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(dir, -EINVAL, "cpu0/trap");
	trees_cut(dir, CPU "cpu0/trap");
	assert_int_equal(symlink("trap", path), 0);
	topo_free(load(dir));
	trees_cut(dir, CPU "cpu0/trap");
	trees_write(dir, CPU "cpu0/trap", "");
	assert_int_equal(truncate(path, INT32_MAX), 0);
	assert_refused(dir, -ERANGE, "cpu0/trap");
}

static void
xml_is_read(void **state)
{
	auto_free char *path = trees_path(*state, "host.xml");
	struct topo *t;

	trees_write(*state, "host.xml", small_xml);
	t = load(path);
	assert_int_equal(t->n_pus, 2);
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->n_nodes, 1);
	assert_int_equal(t->nodes[0].mem_kib, 1024);
	assert_int_equal(t->nodes[0].free_kib, 1024);
	topo_free(t);
}

static void
cut_xml_is_refused(void **state)
{
	auto_free char *path = trees_path(*state, "host.xml");
	const size_t whole = strlen(small_xml) - 1; /* the last newline may go */

	for (size_t len = 0; len < whole; len += 37) {
		trees_write_bytes(*state, "host.xml", small_xml, len);
		assert_refused(path, -EINVAL, "host.xml");
	}
}

static void
other_xml_is_refused(void **state)
{
	static const char no_cpuset[] =
		"<topology version=\"2.0\"><object type=\"Machine\" cpuset=\"0x1\">"
		"<object type=\"PU\" os_index=\"0\"/></object></topology>";
	static const char *const texts[] = {
		"garbage",
		"<?xml version=\"1.0\"?><html></html>",
		"<topology></topology>",
		"<topology version=\"2.0\"></topology>",
		"<topology><object type=\"PU\" os_index=\"0\"/></topology>",
		no_cpuset,
	};
	auto_free char *path = trees_path(*state, "host.xml");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		trees_write(*state, "host.xml", texts[i]);
		assert_refused(path, -EINVAL, "host.xml");
	}
}

static void
deep_and_huge_xml_is_refused_unread(void **state)
{
	auto_free char *path = trees_path(*state, "host.xml");
	char text[4000] = "<topology version=\"2.0\">";

	for (int i = 0; i < 100; i++)
		strcat(text, "<object type=\"Group\">");
	strcat(text, "</topology>");
	trees_write(*state, "host.xml", text);
	assert_refused(path, -ERANGE, "host.xml");
	assert_int_equal(truncate(path, INT32_MAX), 0);
	assert_refused(path, -ERANGE, "host.xml");
}

static void
the_environment_neither_counts_nor_changes(void **state)
{
	struct topo *t;

	assert_int_equal(setenv("HWLOC_THISSYSTEM", "1", 1), 0);
	assert_int_equal(setenv("HWLOC_FSROOT", "/nonexistent", 1), 0);
	assert_int_equal(setenv("HWLOC_XMLFILE", "/nonexistent", 1), 0);
	t = load(*state);
	assert_int_equal(t->n_pus, 4);
	topo_free(t);
	assert_string_equal(getenv("HWLOC_FSROOT"), "/nonexistent");
	assert_string_equal(getenv("HWLOC_THISSYSTEM"), "1");
	assert_null(getenv("HWLOC_COMPONENTS"));
	assert_int_equal(unsetenv("HWLOC_THISSYSTEM"), 0);
	assert_int_equal(unsetenv("HWLOC_FSROOT"), 0);
	assert_int_equal(unsetenv("HWLOC_XMLFILE"), 0);
}

static unsigned int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void
loading_again_leaves_nothing_behind(void **state)
{
	auto_free char *xml = trees_path(*state, "host.xml");
	unsigned int fds;
	sigset_t before;
	sigset_t after;

	trees_write(*state, "host.xml", "<topology></topology>");
	(void)sigprocmask(SIG_BLOCK, NULL, &before);
	fds = count_fds();
	for (int i = 0; i < 20; i++) {
		topo_free(load(*state));
		assert_refused(xml, -EINVAL, "host.xml");
	}
	assert_int_equal(count_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	(void)sigprocmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < NSIG; sig++)
		assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
}

#define WITH_TREE(f) \
	cmocka_unit_test_setup_teardown(f, trees_setup_host, trees_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_machine_is_read),
		WITH_TREE(a_tree_is_read_with_the_kernels_nodes),
		WITH_TREE(nodes_that_hwloc_makes_up_are_dropped),
		WITH_TREE(memory_only_nodes_have_no_cpus),
		WITH_TREE(offline_cpus_that_a_node_lists_are_ignored),
		WITH_TREE(trees_that_contradict_themselves_are_refused),
		WITH_TREE(cpus_that_go_while_they_are_read_are_no_contradiction),
		WITH_TREE(a_tree_that_stays_wrong_is_read_once),
		WITH_TREE(the_kernel_says_who_the_siblings_are),
		WITH_TREE(trees_without_cpu_maps_are_refused),
		WITH_TREE(what_is_no_topology_is_refused),
		WITH_TREE(this_machine_is_never_taken_for_another),
		WITH_TREE(traps_in_a_tree_are_seen_before_anybody_steps_in),
		WITH_TREE(xml_is_read),
		WITH_TREE(cut_xml_is_refused),
		WITH_TREE(other_xml_is_refused),
		WITH_TREE(deep_and_huge_xml_is_refused_unread),
		WITH_TREE(the_environment_neither_counts_nor_changes),
		WITH_TREE(loading_again_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
