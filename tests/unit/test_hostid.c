// SPDX-License-Identifier: MIT
/* Which host this is: what makes it another one and what does not, on made-up trees, on
 * real ones and on this machine; and whether it is a virtual one. */
#include "config.h"

#include "host/hostid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/str.h"
#include "trees.h"

static const char epyc[] = "processor\t: 0\n"
			   "vendor_id\t: AuthenticAMD\n"
			   "cpu family\t: 23\n"
			   "model\t\t: 49\n"
			   "model name\t: AMD EPYC 7742 64-Core Processor\n"
			   "stepping\t: 0\n"
			   "microcode\t: 0x830107a\n"
			   "cpu MHz\t\t: 2245.780\n"
			   "flags\t\t: fpu vme svm rdpru\n"
			   "\n"
			   "processor\t: 1\n"
			   "model name\t: something else\n";

static int
make_tree(void **state)
{
	(void)trees_setup_host(state);
	trees_write(*state, TREES_SYSTEM "cpu/present", "0-3\n");
	trees_write(*state, "proc/cpuinfo", epyc);
	return 0;
}

static struct hostid
read_id(const char *root)
{
	struct err e = ERR_NONE;
	struct hostid id;

	if (hostid_read(root, &id, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
	assert_int_equal(strlen(id.fingerprint), HOSTID_FINGERPRINT_MAX - 1);
	assert_int_equal(
		strspn(id.fingerprint, "0123456789abcdef"), HOSTID_FINGERPRINT_MAX - 1);
	return id;
}

static void
a_host_is_told_by_processor_cpus_and_nodes(void **state)
{
	struct hostid id = read_id(*state);

	assert_string_equal(id.text, "AMD EPYC 7742 64-Core Processor, "
				     "microcode 0x830107a, CPUs 0-3, 2 nodes");
	assert_false(id.virtual);
}

/* Each change alone, on a tree that is put right again afterwards. */
static void
what_counts_makes_another_host(void **state)
{
	static const struct {
		const char *file;
		const char *from;
		const char *to;
	} cases[] = {
		{"proc/cpuinfo", "AuthenticAMD", "HygonGenuine"},
		{"proc/cpuinfo", "family\t: 23", "family\t: 25"},
		{"proc/cpuinfo", "model\t\t: 49", "model\t\t: 48"},
		{"proc/cpuinfo", "7742", "7702"},
		{"proc/cpuinfo", "stepping\t: 0", "stepping\t: 1"},
		{"proc/cpuinfo", "0x830107a", "0x830107b"},
		{TREES_SYSTEM "cpu/cpu0/microcode/version", "", "0x830107b\n"},
		{TREES_SYSTEM "cpu/present", "0-3", "0-7"},
		{TREES_SYSTEM "node/node4/distance", "21 10", "32 10"},
		{TREES_SYSTEM "node/node5/distance", "", "10 10 10"},
	};
	const char *dir = *state;
	const struct hostid was = read_id(dir);

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *path = xasprintf("%s/%s", dir, cases[i].file);
		char before[1024] = "";
		auto_free char *after = NULL;
		FILE *f = fopen(path, "r");
		const char *at;

		if (f != NULL) {
			(void)!fread(before, 1, sizeof(before) - 1, f);
			fclose(f);
		}
		at = strstr(before, cases[i].from);
		assert_non_null(at);
		after = xasprintf("%.*s%s%s", (int)(at - before), before, cases[i].to,
			at + strlen(cases[i].from));
		trees_write(dir, cases[i].file, after);
		if (str_equal(read_id(dir).fingerprint, was.fingerprint))
			fail_msg("case %u: \"%s\" does not count", i, cases[i].to);
		if (*before != '\0')
			trees_write(dir, cases[i].file, before);
		else
			trees_cut(dir, cases[i].file);
		if (strstr(cases[i].file, "node5") != NULL)
			trees_cut(dir, TREES_SYSTEM "node/node5");
		assert_string_equal(read_id(dir).fingerprint, was.fingerprint);
	}
}

static void
cpus_that_are_offline_are_the_same_host(void **state)
{
	const char *dir = *state;
	const struct hostid was = read_id(dir);

	trees_write(dir, TREES_SYSTEM "cpu/online", "1-2\n");
	trees_write(dir, TREES_SYSTEM "node/node0/cpumap", "4\n");
	trees_cut(dir, TREES_SYSTEM "cpu/cpu3/topology");
	trees_cut(dir, TREES_SYSTEM "cpu/cpu3/cache");
	trees_write(dir, TREES_SYSTEM "cpu/cpu1/topology/core_cpus", "2\n");
	assert_string_equal(read_id(dir).fingerprint, was.fingerprint);
	assert_string_equal(read_id(dir).text, was.text);
}

static void
what_cannot_be_read_is_unknown(void **state)
{
	const char *dir = *state;
	struct hostid id;
	struct err e = ERR_NONE;

	trees_cut(dir, "proc");
	trees_cut(dir, TREES_SYSTEM "node");
	trees_cut(dir, TREES_SYSTEM "cpu/present");
	assert_string_equal(read_id(dir).text, "unknown processor, CPUs 0-3");
	trees_write(dir, TREES_SYSTEM "cpu/present", "all of them\n");
	assert_string_equal(read_id(dir).text, "unknown processor, CPUs 0-3");
	trees_cut(dir, "sys/devices/system/cpu");
	assert_int_equal(hostid_read(dir, &id, &e), -ENOENT);
	assert_non_null(strstr(e.source, "sys/devices/system/cpu"));
}

static void
odd_names_are_made_printable(void **state)
{
	const char *dir = *state;

	trees_write(dir, "proc/cpuinfo",
		"model name\t:   Xe\xc3\xb6n \x1b[31m  @  2 GHz  \nno colon\n:\n");
	assert_string_equal(read_id(dir).text, "Xe n [31m @ 2 GHz, CPUs 0-3, 2 nodes");
	trees_write(dir, "proc/cpuinfo", "model name\t: end without newline");
	assert_string_equal(
		read_id(dir).text, "end without newline, CPUs 0-3, 2 nodes");
	trees_write(dir, "proc/cpuinfo", "CPU implementer\t: 0\x1b[2J\xff\n");
	assert_string_equal(read_id(dir).text, "ARM 0 [2J, CPUs 0-3, 2 nodes");
}

static void
other_processors_have_names_too(void **state)
{
	const char *dir = *state;
	struct hostid arm;

	trees_write(dir, "proc/cpuinfo",
		"processor\t: 0\nCPU implementer\t: 0x48\nCPU architecture: 8\n"
		"CPU variant\t: 0x1\nCPU part\t: 0xd01\nCPU revision\t: 0\n");
	arm = read_id(dir);
	assert_string_equal(arm.text, "ARM 0x48, CPUs 0-3, 2 nodes");
	/* the register says the same as the file */
	trees_cut(dir, "proc/cpuinfo");
	trees_write(dir, TREES_SYSTEM "cpu/cpu0/regs/identification/midr_el1",
		"0x00000000481fd010\n");
	assert_string_equal(read_id(dir).fingerprint, arm.fingerprint);
	trees_write(dir, "proc/cpuinfo",
		"processor\t: 0\ncpu\t\t: POWER9, altivec supported\nrevision\t: 2.2\n");
	assert_string_equal(
		read_id(dir).text, "POWER9, altivec supported, CPUs 0-3, 2 nodes");
	trees_write(dir, "proc/cpuinfo", "processor\t: 0\n");
	trees_write(dir, "sys/firmware/devicetree/base/model", "VisionFive 2");
	assert_string_equal(read_id(dir).text, "VisionFive 2, CPUs 0-3, 2 nodes");
}

#define DMI "sys/class/dmi/id/"
#define TREE "sys/firmware/devicetree/base/"
#define VIRTUAL_FLAGS "flags\t\t: fpu hypervisor vme\n"
#define REAL_FLAGS "flags\t\t: fpu hypervisor_guard vme\n"

static void
virtual_machines_are_told_from_real_ones(void **state)
{
	static const struct {
		const char *files[5]; /* name, text, name, text, NULL */
		bool virtual;
	} cases[] = {
		{{NULL}, false},
		{{"proc/cpuinfo", REAL_FLAGS}, false},
		{{"proc/cpuinfo", VIRTUAL_FLAGS}, true},
		{{DMI "sys_vendor", "QEMU\n"}, true},
		{{DMI "product_name", "VMware Virtual Platform\n"}, true},
		{{DMI "product_name", "PowerEdge R7525\n"}, false},
		{{DMI "product_version", "Hyper-V UEFI Release v4.1\n"}, true},
		{{DMI "sys_vendor", "Microsoft Corporation\n"}, false},
		{{DMI "sys_vendor", "Amazon EC2\n", DMI "product_name", "c7g.large\n"},
			true},
		{{DMI "sys_vendor", "Amazon EC2\n", DMI "product_name", "c7g.metal\n"},
			false},
		{{DMI "sys_vendor", "Amazon EC2\n", "proc/cpuinfo", REAL_FLAGS}, false},
		{{DMI "product_name", "Google Compute Engine\n"}, true},
		{{"sys/hypervisor/type", "xen\n"}, true},
		{{"sys/hypervisor/type", "xen\n", "sys/hypervisor/properties/features",
			 "00000e8f"},
			false},
		{{"sys/hypervisor/type", "xen\n", "sys/hypervisor/properties/features",
			 "000002f5"},
			true},
		{{"sys/hypervisor/type", "xen\n", "proc/xen/capabilities",
			 "control_d\n"},
			false},
		{{TREE "hypervisor/compatible", "linux,kvm"}, true},
		{{TREE "fw-cfg/x", "1"}, true},
		{{TREE "model", "IBM pSeries (emulated by qemu)"}, true},
		{{TREE "model", "9006-12P"}, false},
		{{TREE "ibm,partition-name", "p1", TREE "hmc-managed?", "1"}, true},
		{{"proc/sysinfo", "VM00 Control Program: KVM/Linux\n"}, true},
	};
	const char *dir = *state;

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		trees_cut(dir, "proc");
		for (unsigned int j = 0; cases[i].files[j] != NULL; j += 2)
			trees_write(dir, cases[i].files[j], cases[i].files[j + 1]);
		if (read_id(dir).virtual != cases[i].virtual)
			fail_msg("case %u: %s", i, cases[i].files[0]);
		trees_cut(dir, "sys/class");
		trees_cut(dir, "sys/hypervisor");
		trees_cut(dir, "sys/firmware");
	}
}

/* --- this machine ----------------------------------------------------------------- */

static bool
this_machine_has_cpus(void)
{
	return access("/sys/devices/system/cpu/present", R_OK) == 0;
}

static void
this_machine_is_always_the_same(void **state)
{
	struct hostid a;
	struct hostid b;

	(void)state;
	if (!this_machine_has_cpus())
		skip();
	a = read_id(NULL);
	b = read_id("");
	print_message(
		"%s: %s%s\n", a.fingerprint, a.text, a.virtual ? ", virtual" : "");
	assert_string_equal(a.fingerprint, b.fingerprint);
}

static void
this_machine_is_as_virtual_as_others_say(void **state)
{
	int status;

	(void)state;
	if (!this_machine_has_cpus() || system("command -v systemd-detect-virt") != 0)
		skip();
	status = system("systemd-detect-virt --vm");
	assert_true(WIFEXITED(status));
	assert_int_equal(read_id(NULL).virtual, WEXITSTATUS(status) == 0);
}

static void
a_hidden_proc_changes_nothing(void **state)
{
	char fingerprint[HOSTID_FINGERPRINT_MAX];
	int status;
	pid_t pid;

	(void)state;
	if (!this_machine_has_cpus() || geteuid() != 0)
		skip();
	str_copy(fingerprint, sizeof(fingerprint), read_id(NULL).fingerprint);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct hostid id;

		if (unshare(CLONE_NEWNS) < 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("none", "/proc", "tmpfs", 0, NULL) < 0)
			_exit(77);
		_exit(hostid_read(NULL, &id, NULL) < 0 ||
			!str_equal(id.fingerprint, fingerprint));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* CPUID and the files say the same, in the same form. */
static void
a_copy_of_this_machines_files_is_the_same_host(void **state)
{
	auto_free char *copy = NULL;
	char *dir;

	(void)state;
#if !defined(__x86_64__)
	skip();
#endif
	if (!this_machine_has_cpus() || access("/proc/cpuinfo", R_OK) < 0)
		skip();
	dir = trees_new();
	/* where the driver does not tell the microcode, it stays unknown */
	copy = xasprintf("cd / && mkdir -p %s/proc && grep -v microcode proc/cpuinfo "
			 "> %s/proc/cpuinfo && tar -c --ignore-failed-read "
			 "sys/devices/system/cpu/present "
			 "$(ls -d sys/devices/system/node/node*/distance "
			 "sys/devices/system/cpu/cpu0/microcode/version 2>/dev/null) "
			 "| tar -xC %s",
		dir, dir, dir);
	assert_int_equal(system(copy), 0);
	assert_string_equal(read_id(dir).text, read_id(NULL).text);
	assert_string_equal(read_id(dir).fingerprint, read_id(NULL).fingerprint);
	trees_remove(dir);
}

/* --- real machines ---------------------------------------------------------------- */

static void
real_machines_differ(void **state)
{
	const char *shared = getenv("QMPIN_SHARED");
	auto_free char *command = NULL;
	auto_free char *pattern = NULL;
	struct hostid *ids;
	glob_t found;
	char *dir;

	(void)state;
	if (shared == NULL)
		skip();
	dir = trees_new();
	command = xasprintf("for f in '%s'/topologies/*.tar.xz; do "
			    "tar -xJf \"$f\" -C %s || exit 1; done",
		shared, dir);
	assert_int_equal(system(command), 0);
	pattern = xasprintf("%s/*", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	ids = xcalloc(found.gl_pathc, sizeof(*ids));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ids[i] = read_id(found.gl_pathv[i]);
		for (size_t j = 0; j < i; j++) {
			if (str_equal(ids[i].fingerprint, ids[j].fingerprint))
				fail_msg("%s is %s", found.gl_pathv[i],
					found.gl_pathv[j]);
		}
	}
	print_message("%zu machines\n", found.gl_pathc);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		trees_write(found.gl_pathv[i], TREES_SYSTEM "cpu/online", "0\n");
		assert_string_equal(
			read_id(found.gl_pathv[i]).fingerprint, ids[i].fingerprint);
	}
	free(ids);
	globfree(&found);
	trees_remove(dir);
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, trees_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(a_host_is_told_by_processor_cpus_and_nodes),
		WITH_TREE(what_counts_makes_another_host),
		WITH_TREE(cpus_that_are_offline_are_the_same_host),
		WITH_TREE(what_cannot_be_read_is_unknown),
		WITH_TREE(odd_names_are_made_printable),
		WITH_TREE(other_processors_have_names_too),
		WITH_TREE(virtual_machines_are_told_from_real_ones),
		cmocka_unit_test(this_machine_is_always_the_same),
		cmocka_unit_test(this_machine_is_as_virtual_as_others_say),
		cmocka_unit_test(a_hidden_proc_changes_nothing),
		cmocka_unit_test(a_copy_of_this_machines_files_is_the_same_host),
		cmocka_unit_test(real_machines_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
