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

static void
run_dry(struct doctor_facts *f)
{
	f->dry_run = true;
}

static void
take_nice(struct doctor_facts *f)
{
	f->nice = false;
}

static void
take_nice_of_user(struct doctor_facts *f)
{
	f->nice = false;
	f->uid = f->run_dir.uid = 1000;
}

static void
take_ptrace(struct doctor_facts *f)
{
	f->ptrace = false;
}

static void
take_ptrace_and_diag(struct doctor_facts *f)
{
	f->ptrace = f->diag = false;
}

static void
open_run_dir(struct doctor_facts *f)
{
	f->run_dir.mode = 0777;
}

static void
give_run_dir(struct doctor_facts *f)
{
	f->run_dir.uid = 1000;
}

static void
open_socket(struct doctor_facts *f)
{
	f->socket.mode = 0660;
}

static void
open_socket_ro(struct doctor_facts *f)
{
	f->socket_ro.mode = 0666;
}

static void
lose_socket(struct doctor_facts *f)
{
	f->socket.error = -ENOENT;
}

static void
lose_state_dir(struct doctor_facts *f)
{
	f->state_dir.error = -ENOENT;
}

static void
lock_state_dir(struct doctor_facts *f)
{
	f->state_dir.error = -EROFS;
}

static void
lose_vm_dir(struct doctor_facts *f)
{
	f->vm_dir.error = -ENOENT;
}

static void
need_more_files(struct doctor_facts *f)
{
	f->n_vms = 1000;
	f->fds = 1024;
	f->fds_needed = 6128;
}

static void
fail_reload(struct doctor_facts *f)
{
	f->bad_reload = "last reload failed: /etc/qmpin/qmpin.conf:3: no such mode";
	f->newer = "/etc/qmpin/qmpin.conf";
}

static void
write_config(struct doctor_facts *f)
{
	f->newer = "/etc/qmpin/conf.d/a.conf";
}

static void
spoil_cluster(struct doctor_facts *f)
{
	f->bad_cluster = "/etc/pve/qmpin.conf:2: bad: the last good one stays";
}

static void
hang_cluster(struct doctor_facts *f)
{
	f->pve = "/etc/pve does not answer";
}

static void
warn_of_config(struct doctor_facts *f)
{
	f->config = (struct doctor_texts){warnings, 1};
}

static void
stall(struct doctor_facts *f)
{
	checks_group_add(&f->stalled, "100");
}

static void
make_peace(struct doctor_facts *f)
{
	checks_group_add(&f->peace, "100");
	checks_group_add(&f->peace, "101");
}

static void
leave_foreign(struct doctor_facts *f)
{
	checks_group_add(&f->foreign, "100");
}

static void
restore(struct doctor_facts *f)
{
	checks_group_add(&f->restored, "100");
}

static void
wait_in_line(struct doctor_facts *f)
{
	checks_group_add(&f->waiting, "100");
}

static void
bind_one(struct doctor_facts *f)
{
	checks_group_add(&f->bounded, "101");
}

static void
keep_record(struct doctor_facts *f)
{
	checks_group_add(&f->records, "999");
}

static void
have_old_qemu(struct doctor_facts *f)
{
	checks_group_add(&f->yield, "102");
	checks_group_add(&f->old, "102");
}

static void
replace_qemu(struct doctor_facts *f)
{
	checks_group_add(&f->replaced, "100");
}

static void
warn_of_sharing(struct doctor_facts *f)
{
	f->sharing = (struct doctor_texts){warnings, 1};
}

static void
trust_nothing(struct doctor_facts *f)
{
	f->latency = "untrusted";
	f->why = "too little is clear";
}

static void
fail_probe(struct doctor_facts *f)
{
	f->latency = "model";
	f->probing = "qmpin-probe: no";
}

static void
measure_nothing(struct doctor_facts *f)
{
	f->latency = "model";
}

static void
warn_of_memory(struct doctor_facts *f)
{
	f->memory = (struct doctor_texts){warnings, 2};
}

static void
own_cores(struct doctor_facts *f)
{
	f->dedicated = "4-7";
}

static void
own_cores_with_guests(struct doctor_facts *f)
{
	f->dedicated = "4-7";
	checks_group_add(&f->guests, "105");
}

static const struct {
	void (*spoil)(struct doctor_facts *f);
	const char *name;
	int level;
	const char *text;
} cases[] = {
	{run_dry, "daemon", CHECKS_NOTE, "qmpind 1.0 runs dry: it plans for 2 VMs"},
	{take_nice, "capabilities", CHECKS_PROBLEM, "no CAP_SYS_NICE"},
	{take_nice_of_user, "capabilities", CHECKS_NOTE, "no CAP_SYS_NICE"},
	{take_ptrace, "capabilities", CHECKS_WARNING,
		"no CAP_SYS_PTRACE: who waits for a monitor is polled for"},
	{take_ptrace_and_diag, "capabilities", CHECKS_WARNING,
		"no CAP_SYS_PTRACE: who waits for a monitor cannot be seen"},
	{open_run_dir, "run_dir", CHECKS_PROBLEM, "others may write in /run/qmpin"},
	{give_run_dir, "run_dir", CHECKS_PROBLEM, "others may write in /run/qmpin"},
	{open_socket, "sockets", CHECKS_PROBLEM, "/run/qmpin/io.qmpin is open"},
	{open_socket_ro, "sockets", CHECKS_PROBLEM, "/run/qmpin/io.qmpin.ro is open"},
	{lose_socket, "sockets", CHECKS_PROBLEM, "/run/qmpin/io.qmpin cannot be found"},
	{lose_state_dir, "state_dir", CHECKS_WARNING, "/var/lib/qmpin is not there"},
	{lock_state_dir, "state_dir", CHECKS_WARNING, "/var/lib/qmpin cannot be wri"},
	{lose_vm_dir, "vm_dir", CHECKS_NOTE, "/run/qemu-server is not there"},
	{need_more_files, "limits", CHECKS_WARNING,
		"1024 open files are too few for 1000 VMs, which need 6128"},
	{fail_reload, "configuration", CHECKS_PROBLEM, "last reload failed"},
	{write_config, "configuration", CHECKS_WARNING,
		"/etc/qmpin/conf.d/a.conf has changed"},
	{spoil_cluster, "configuration", CHECKS_WARNING, "/etc/pve/qmpin.conf:2: bad"},
	{hang_cluster, "configuration", CHECKS_WARNING, "/etc/pve does not answer"},
	{warn_of_config, "configuration", CHECKS_WARNING, "something is odd"},
	{stall, "vms", CHECKS_WARNING, "VM 100: QEMU does not answer"},
	{make_peace, "vms", CHECKS_WARNING, "VMs 100, 101: left alone for a while"},
	{leave_foreign, "vms", CHECKS_NOTE, "VM 100: left alone, since somebody had"},
	{restore, "vms", CHECKS_NOTE, "VM 100: restored by hand"},
	{wait_in_line, "vms", CHECKS_NOTE, "VM 100: ran before qmpind"},
	{bind_one, "cpusets", CHECKS_NOTE, "VM 101: kept to some of the CPUs"},
	{keep_record, "records", CHECKS_NOTE, "VM 999: gone"},
	{have_old_qemu, "qemu", CHECKS_NOTE, "VM 102: the monitor is held in common"},
	{have_old_qemu, "monitors", CHECKS_OK, "shared: 2 private, 1 yield"},
	{replace_qemu, "qemu", CHECKS_NOTE, "VM 100: still runs the QEMU"},
	{warn_of_sharing, "monitors", CHECKS_WARNING, "something is odd"},
	{trust_nothing, "latencies", CHECKS_NOTE,
		"measured, but not trusted: too little is clear"},
	{fail_probe, "latencies", CHECKS_WARNING, "qmpin-probe: no"},
	{measure_nothing, "latencies", CHECKS_OK, "not measured"},
	{warn_of_memory, "memory", CHECKS_WARNING, "something is odd"},
	{warn_of_memory, "numad", CHECKS_WARNING, "numad runs"},
	{own_cores, "dedicated", CHECKS_NOTE, "CPUs 4-7 are some VMs' alone; serv"},
	{own_cores_with_guests, "dedicated", CHECKS_NOTE,
		"CPUs 4-7 are some VMs' alone, but VM 105 may run there, too"},
};

static void
each_fault_has_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor_facts f = good_daemon();
		struct checks c = {0};

		cases[i].spoil(&f);
		doctor_run(&f, &c);
		assert_true(
			checklist_is(&c, cases[i].name, cases[i].level, cases[i].text));
		checks_fini(&c);
	}
}

static void
a_problem_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor_facts f = good_daemon();
		struct checks c = {0};

		cases[i].spoil(&f);
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
	restore(&f);
	stall(&f);
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
		cmocka_unit_test(a_problem_says_what_to_do),
		cmocka_unit_test(vms_that_are_held_back_are_not_called_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
