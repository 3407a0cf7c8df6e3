// SPDX-License-Identifier: MIT
/* Each fact about a host, and the line that it makes. */
#include "config.h"

#include "host/hostcheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "checklist.h"

/* A host where nothing is to be said against. */
static struct hostfacts
good_host(void)
{
	struct hostfacts f = {
		.has_topology = true,
		.online = cpuset_below(8),
		.n_nodes = 2,
		.has_listed = true,
		.kernel = "6.8.12-4-pve",
		.pidfd = true,
		.pidfd_getfd = true,
		.numa_balancing = "1",
		.clocksource = "tsc",
		.smt = "on",
		.schedstat = HOSTFACTS_YES,
		.unified = HOSTFACTS_YES,
		.has_slice = true,
		.slice = cpuset_below(8),
	};

	return f;
}

static void
a_good_host_has_only_good_lines(void **state)
{
	struct hostfacts f = good_host();
	struct checks c = {0};

	(void)state;
	hostcheck_run(&f, &c);
	assert_int_equal(c.n, 8);
	for (size_t i = 0; i < c.n; i++) {
		assert_int_equal(c.list[i].level, CHECKS_OK);
		assert_null(c.list[i].advice);
	}
	checks_fini(&c);
}

static void
what_is_unknown_is_not_told(void **state)
{
	const struct hostfacts f = {0};
	struct checks c = {0};

	(void)state;
	hostcheck_run(&f, &c);
	assert_int_equal(c.n, 0);
	checks_fini(&c);
}

static void
spoil_pidfd(struct hostfacts *f)
{
	f->pidfd = false;
}

static void
spoil_getfd(struct hostfacts *f)
{
	f->pidfd_getfd = false;
}

static void
spoil_unified(struct hostfacts *f)
{
	f->unified = HOSTFACTS_NO;
}

static void
spoil_slice(struct hostfacts *f)
{
	f->slice = cpuset_below(4);
}

static void
spoil_schedstat(struct hostfacts *f)
{
	f->schedstat = HOSTFACTS_NO;
}

static void
spoil_clock(struct hostfacts *f)
{
	str_copy(f->clocksource, sizeof(f->clocksource), "hpet");
}

static void
spoil_machine(struct hostfacts *f)
{
	f->virtual = true;
}

static void
spoil_smt(struct hostfacts *f)
{
	str_copy(f->smt, sizeof(f->smt), "forceoff");
}

static void
isolate(struct hostfacts *f)
{
	f->isolated = cpuset_of(2);
	cpuset_add(&f->isolated, 3);
}

static void
isolate_and_list(struct hostfacts *f)
{
	isolate(f);
	f->listed = f->isolated;
}

static void
isolate_and_list_some(struct hostfacts *f)
{
	isolate(f);
	f->listed = cpuset_of(2);
}

static void
isolate_without_daemon(struct hostfacts *f)
{
	isolate(f);
	f->has_listed = false;
}

static void
balance_off(struct hostfacts *f)
{
	str_copy(f->numa_balancing, sizeof(f->numa_balancing), "0");
}

static void
balance_one_node(struct hostfacts *f)
{
	f->n_nodes = 1;
}

static void
run_numad(struct hostfacts *f)
{
	f->programs[HOSTFACTS_NUMAD] = HOSTFACTS_YES;
}

static void
run_irqbalance(struct hostfacts *f)
{
	f->programs[HOSTFACTS_IRQBALANCE] = HOSTFACTS_YES;
}

static void
run_tuned(struct hostfacts *f)
{
	f->programs[HOSTFACTS_TUNED] = HOSTFACTS_YES;
}

static void
run_libvirt(struct hostfacts *f)
{
	f->programs[HOSTFACTS_LIBVIRT] = HOSTFACTS_YES;
}

static const struct {
	void (*spoil)(struct hostfacts *f);
	const char *name;
	int level;
	const char *text;
} cases[] = {
	{spoil_pidfd, "kernel", CHECKS_PROBLEM, "Linux 6.8.12-4-pve has no pidfd_open"},
	{spoil_getfd, "kernel", CHECKS_WARNING,
		"Linux 6.8.12-4-pve has no pidfd_getfd"},
	{spoil_unified, "cgroup", CHECKS_WARNING, "no unified cgroup hierarchy"},
	{spoil_slice, "qemu.slice", CHECKS_NOTE, "VMs may use CPUs 0-3 of 0-7 only"},
	{spoil_schedstat, "schedstat", CHECKS_WARNING, "this kernel does not count"},
	{spoil_clock, "clocksource", CHECKS_WARNING, "hpet: reading the clock is slow"},
	{spoil_machine, "machine", CHECKS_NOTE, "this host is itself a virtual"},
	{spoil_smt, "smt", CHECKS_OK, "switched off"},
	{isolate, "isolated", CHECKS_NOTE, "CPUs 2-3 are isolated"},
	{isolate_and_list, "isolated", CHECKS_OK, "CPUs 2-3: for VMs"},
	{isolate_and_list_some, "isolated", CHECKS_NOTE, "CPUs 3 are isolated"},
	{isolate_without_daemon, "isolated", CHECKS_NOTE, "CPUs 2-3 are isolated"},
	{balance_off, "numa_balancing", CHECKS_OK, "off"},
	{balance_one_node, "numa_balancing", -1, ""},
	{run_numad, "numad", CHECKS_WARNING, "numad runs"},
	{run_irqbalance, "irqbalance", CHECKS_OK, "runs: it moves interrupts only"},
	{run_tuned, "tuned", CHECKS_NOTE, "tuned runs"},
	{run_libvirt, "libvirt", CHECKS_NOTE, "libvirt runs"},
};

static void
each_fault_has_its_line_and_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hostfacts f = good_host();
		struct checks c = {0};
		const struct check *line;

		cases[i].spoil(&f);
		hostcheck_run(&f, &c);
		assert_true(
			checklist_is(&c, cases[i].name, cases[i].level, cases[i].text));
		line = checklist_find(&c, cases[i].name, cases[i].text);
		if (cases[i].level >= CHECKS_WARNING)
			assert_non_null(line->advice);
		checks_fini(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_host_has_only_good_lines),
		cmocka_unit_test(what_is_unknown_is_not_told),
		cmocka_unit_test(each_fault_has_its_line_and_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
