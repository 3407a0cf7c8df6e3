// SPDX-License-Identifier: MIT
/* Each fact about the daemon and its VMs, and the line that it makes. */
#include "config.h"

#include "daemon/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "checklist.h"

static char warning[] = "something is odd";
static char numad[] = "numad runs: it moves threads";
static char *const warnings[] = {warning, numad};

/* A daemon that is well, with two VMs. */
static struct doctor_facts
good_daemon(void)
{
	struct doctor_facts f = {
		.version = "1.0",
		.n_vms = 2,
		.n_placed = 2,
		.nice = true,
		.ptrace = true,
		.diag = true,
		.run_dir = {"/run/qmpin", 0, 0755, 0},
		.socket = {"/run/qmpin/io.qmpin", 0, 0600, 0},
		.socket_ro = {"/run/qmpin/io.qmpin.ro", 0, 0660, 0},
		.state_dir = {"/var/lib/qmpin", 0, 0700, 0},
		.vm_dir = {"/run/qemu-server", 0, 0755, 0},
		.fds = 16384,
		.fds_needed = 140,
		.bad_reload = "",
		.newer = "",
		.latency = "measured",
		.dedicated = "",
	};

	checks_group_add(&f.private, "100");
	checks_group_add(&f.private, "101");
	return f;
}

static void
a_daemon_that_is_well_has_only_good_lines(void **state)
{
	struct doctor_facts f = good_daemon();
	struct checks c = {0};

	(void)state;
	doctor_run(&f, &c);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.list[i].level, CHECKS_OK);
	assert_true(checklist_is(
		&c, "daemon", CHECKS_OK, "qmpind 1.0 has placed 2 of 2 VMs"));
	assert_true(checklist_is(&c, "monitors", CHECKS_OK, "shared: 2 private"));
	assert_true(checklist_is(&c, "vms", CHECKS_OK, "none is held back"));
	checks_fini(&c);
}

/* A fact that is otherwise. */
struct fact {
	size_t at;
	size_t size; /* of a number; 0: it is none */
	int64_t number;
	const char *vm; /* of a group */
	const char *text;
	size_t n_warnings;
};

#define AT(member) .at = offsetof(struct doctor_facts, member)
#define A_NUMBER(member, value)                                                 \
	{                                                                       \
		AT(member), .size = sizeof(((struct doctor_facts *)0)->member), \
			    .number = (value)                                   \
	}
#define A_VM(member, id)               \
	{                              \
		AT(member), .vm = (id) \
	}
#define A_TEXT(member, words)               \
	{                                   \
		AT(member), .text = (words) \
	}
#define WARNINGS(member, n)                   \
	{                                     \
		AT(member), .n_warnings = (n) \
	}

static const struct {
	struct fact facts[3];
	const char *name;
	int level;
	const char *text;
} cases[] = {
	{{A_NUMBER(dry_run, true)}, "daemon", CHECKS_NOTE,
		"qmpind 1.0 runs dry: it plans for 2 VMs"},
	{{A_NUMBER(nice, false)}, "capabilities", CHECKS_PROBLEM, "no CAP_SYS_NICE"},
	{{A_NUMBER(nice, false), A_NUMBER(uid, 1000), A_NUMBER(run_dir.uid, 1000)},
		"capabilities", CHECKS_NOTE, "no CAP_SYS_NICE"},
	{{A_NUMBER(ptrace, false)}, "capabilities", CHECKS_WARNING,
		"no CAP_SYS_PTRACE: who waits for a monitor is polled for"},
	{{A_NUMBER(ptrace, false), A_NUMBER(diag, false)}, "capabilities",
		CHECKS_WARNING,
		"no CAP_SYS_PTRACE: who waits for a monitor cannot be seen"},
	{{A_NUMBER(run_dir.mode, 0777)}, "run_dir", CHECKS_PROBLEM,
		"others may write in /run/qmpin"},
	{{A_NUMBER(run_dir.uid, 1000)}, "run_dir", CHECKS_PROBLEM,
		"others may write in /run/qmpin"},
	{{A_NUMBER(socket.mode, 0660)}, "sockets", CHECKS_PROBLEM,
		"/run/qmpin/io.qmpin is open"},
	{{A_NUMBER(socket_ro.mode, 0666)}, "sockets", CHECKS_PROBLEM,
		"/run/qmpin/io.qmpin.ro is open"},
	{{A_NUMBER(socket.error, -ENOENT)}, "sockets", CHECKS_PROBLEM,
		"/run/qmpin/io.qmpin cannot be found"},
	{{A_NUMBER(state_dir.error, -ENOENT)}, "state_dir", CHECKS_WARNING,
		"/var/lib/qmpin is not there"},
	{{A_NUMBER(state_dir.error, -EROFS)}, "state_dir", CHECKS_WARNING,
		"/var/lib/qmpin cannot be wri"},
	{{A_NUMBER(vm_dir.error, -ENOENT)}, "vm_dir", CHECKS_NOTE,
		"/run/qemu-server is not there"},
	{{A_NUMBER(n_vms, 1000), A_NUMBER(fds, 1024), A_NUMBER(fds_needed, 6128)},
		"limits", CHECKS_WARNING,
		"1024 open files are too few for 1000 VMs, which need 6128"},
	{{A_TEXT(bad_reload,
		  "last reload failed: /etc/qmpin/qmpin.conf:3: no such mode"),
		 A_TEXT(newer, "/etc/qmpin/qmpin.conf")},
		"configuration", CHECKS_PROBLEM, "last reload failed"},
	{{A_TEXT(newer, "/etc/qmpin/conf.d/a.conf")}, "configuration", CHECKS_WARNING,
		"/etc/qmpin/conf.d/a.conf has changed"},
	{{WARNINGS(config, 1)}, "configuration", CHECKS_WARNING, "something is odd"},
	{{A_TEXT(bad_cluster, "/etc/pve/qmpin.conf:2: bad: the last good one stays")},
		"configuration", CHECKS_WARNING, "/etc/pve/qmpin.conf:2: bad"},
	{{A_TEXT(pve, "/etc/pve does not answer")}, "configuration", CHECKS_WARNING,
		"/etc/pve does not answer"},
	{{A_VM(stalled, "100")}, "vms", CHECKS_WARNING, "VM 100: QEMU does not answer"},
	{{A_VM(peace, "100"), A_VM(peace, "101")}, "vms", CHECKS_WARNING,
		"VMs 100, 101: left alone for a while"},
	{{A_VM(foreign, "100")}, "vms", CHECKS_NOTE,
		"VM 100: left alone, since somebody had"},
	{{A_VM(restored, "100")}, "vms", CHECKS_NOTE, "VM 100: restored by hand"},
	{{A_VM(waiting, "100")}, "vms", CHECKS_NOTE, "VM 100: ran before qmpind"},
	{{A_VM(bounded, "101")}, "cpusets", CHECKS_NOTE,
		"VM 101: kept to some of the CPUs"},
	{{A_VM(records, "999")}, "records", CHECKS_NOTE, "VM 999: gone"},
	{{A_VM(yield, "102"), A_VM(old, "102")}, "qemu", CHECKS_NOTE,
		"VM 102: the monitor is held in common"},
	{{A_VM(yield, "102"), A_VM(old, "102")}, "monitors", CHECKS_OK,
		"shared: 2 private, 1 yield"},
	{{A_VM(replaced, "100")}, "qemu", CHECKS_NOTE, "VM 100: still runs the QEMU"},
	{{WARNINGS(sharing, 1)}, "monitors", CHECKS_WARNING, "something is odd"},
	{{A_TEXT(latency, "untrusted"), A_TEXT(why, "too little is clear")},
		"latencies", CHECKS_NOTE,
		"measured, but not trusted: too little is clear"},
	{{A_TEXT(latency, "model"), A_TEXT(probing, "qmpin-probe: no")}, "latencies",
		CHECKS_WARNING, "qmpin-probe: no"},
	{{A_TEXT(latency, "model")}, "latencies", CHECKS_OK, "not measured"},
	{{WARNINGS(memory, 2)}, "memory", CHECKS_WARNING, "something is odd"},
	{{WARNINGS(memory, 2)}, "numad", CHECKS_WARNING, "numad runs"},
	{{A_TEXT(dedicated, "4-7")}, "dedicated", CHECKS_NOTE,
		"CPUs 4-7 are some VMs' alone; serv"},
	{{A_TEXT(dedicated, "4-7"), A_VM(guests, "105")}, "dedicated", CHECKS_NOTE,
		"CPUs 4-7 are some VMs' alone, but VM 105 may run there, too"},
};

static void
change(struct doctor_facts *f, const struct fact *fact)
{
	void *at = (char *)f + fact->at;

	if (fact->vm != NULL)
		checks_group_add(at, fact->vm);
	else if (fact->text != NULL)
		*(const char **)at = fact->text;
	else if (fact->n_warnings > 0)
		*(struct doctor_texts *)at =
			(struct doctor_texts){warnings, fact->n_warnings};
	else if (fact->size == sizeof(bool))
		*(bool *)at = fact->number != 0;
	else if (fact->size == sizeof(uint32_t))
		*(uint32_t *)at = (uint32_t)fact->number;
	else if (fact->size == sizeof(uint64_t))
		*(uint64_t *)at = (uint64_t)fact->number;
}

/* A daemon with the facts of that case. */
static struct doctor_facts
spoilt_daemon(size_t i)
{
	struct doctor_facts f = good_daemon();

	for (size_t k = 0; k < ARRAY_LEN(cases[i].facts); k++)
		change(&f, &cases[i].facts[k]);
	return f;
}

static void
each_fault_has_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor_facts f = spoilt_daemon(i);
		struct checks c = {0};

		doctor_run(&f, &c);
		assert_true(
			checklist_is(&c, cases[i].name, cases[i].level, cases[i].text));
		checks_fini(&c);
	}
}

static void
versions_of_qemu_are_told_in_their_order(void **state)
{
	static const struct {
		unsigned int major, minor;
		const char *id;
	} vms[] = {{10, 0, "100"}, {7, 2, "101"}, {10, 0, "102"}, {9, 2, "103"}};
	static const char *const lines[] = {
		"7.2: VM 101", "9.2: VM 103", "10.0: VMs 100, 102"};
	struct doctor_facts f = good_daemon();
	struct checks c = {0};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vms); i++)
		doctor_add_version(&f, vms[i].major, vms[i].minor, vms[i].id);
	for (unsigned int i = 1; i <= DOCTOR_VERSIONS_MAX; i++)
		doctor_add_version(&f, 100 + i, 0, "104"); /* no room for all */
	assert_int_equal(f.n_versions, DOCTOR_VERSIONS_MAX);
	doctor_run(&f, &c);
	for (size_t i = 0; i < c.n && n < ARRAY_LEN(lines); i++) {
		if (strcmp(c.list[i].name, "qemu") == 0)
			assert_string_equal(c.list[i].text, lines[n++]);
	}
	assert_int_equal(n, ARRAY_LEN(lines));
	checks_fini(&c);
}

static void
a_problem_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor_facts f = spoilt_daemon(i);
		struct checks c = {0};

		doctor_run(&f, &c);
		for (size_t j = 0; j < c.n; j++)
			assert_true(c.list[j].level != CHECKS_PROBLEM ||
				    c.list[j].advice != NULL);
		checks_fini(&c);
	}
}

static void
vms_that_are_held_back_are_not_called_well(void **state)
{
	struct doctor_facts f = good_daemon();
	struct checks c = {0};

	(void)state;
	checks_group_add(&f.restored, "100");
	checks_group_add(&f.stalled, "100");
	doctor_run(&f, &c);
	assert_null(checklist_find(&c, "vms", "none is"));
	assert_non_null(checklist_find(&c, "vms", "VM 100: restored"));
	checks_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_well_has_only_good_lines),
		cmocka_unit_test(each_fault_has_its_line),
		cmocka_unit_test(versions_of_qemu_are_told_in_their_order),
		cmocka_unit_test(a_problem_says_what_to_do),
		cmocka_unit_test(vms_that_are_held_back_are_not_called_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
