// SPDX-License-Identifier: MIT
/* The lines that people read: one a decision, each trouble once. */
#include "config.h"

#include "daemon/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/vm.h"
#include "logcatch.h"

#define MOVES_MAX 16u

struct desk {
	struct logcatch log;
	struct vm *vm;
	struct move moves[MOVES_MAX];
	size_t n;
};

static int
setup(void **state)
{
	struct desk *d = xcalloc(1, sizeof(*d));

	log_open(LOG_TO_STDERR, LOG_INFO);
	logcatch_init(&d->log);
	d->vm = vm_new("103", 103, "/s", "/p");
	str_copy(d->vm->why, sizeof(d->vm->why), "L3 group 2: free cores");
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *d = *state;

	vm_free(d->vm);
	logcatch_fini(&d->log);
	free(d);
	return 0;
}

static struct cpuset
set_of(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(text, &set), 0);
	return set;
}

static void
add(struct desk *d, enum thread_class class, int index, const char *from,
	const char *to)
{
	assert_true(d->n < MOVES_MAX);
	d->moves[d->n].thread = (struct vm_thread){
		.tid = 1000 + (pid_t)d->n, .class = class, .index = index};
	d->moves[d->n].from = set_of(from);
	d->moves[d->n].to = set_of(to);
	d->n++;
}

/* What is said of the moves must be @want. */
static void
check_said(struct desk *d, enum cause cause, const char *pretence, const char *want)
{
	logcatch_forget(&d->log);
	report_moves(d->vm, d->moves, d->n, LOG_INFO, cause, pretence);
	assert_string_equal(strbuf_text(&d->log.text), want);
}

static void
vcpus_with_the_same_masks_share_a_line(void **state)
{
	struct desk *d = *state;

	for (int i = 3; i >= 0; i--)
		add(d, THREAD_VCPU, i, "0-63", "8-11");
	check_said(d, CAUSE_RESUME, NULL,
		"qmpind: vm 103: vCPUs 0-3 0-63 -> 8-11 "
		"(resume; L3 group 2: free cores)\n");
}

static void
one_vcpu_is_told_in_the_singular(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_VCPU, 2, "14", "6");
	check_said(d, CAUSE_HOTPLUG, NULL,
		"qmpind: vm 103: vCPU 2 14 -> 6 (hotplug; L3 group 2: free cores)\n");
}

static void
vcpus_of_different_masks_get_a_line_each_in_the_order_of_their_cpus(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_VCPU, 1, "0-3", "2");
	add(d, THREAD_VCPU, 0, "0-3", "1");
	add(d, THREAD_VCPU, 4, "1-3", "2");
	check_said(d, CAUSE_DRIFT, NULL,
		"qmpind: vm 103: vCPU 0 0-3 -> 1 (drift)\n"
		"qmpind: vm 103: vCPU 1 0-3 -> 2 (drift)\n"
		"qmpind: vm 103: vCPU 4 1-3 -> 2 (drift)\n");
}

static void
gaps_in_the_indices_are_shown(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_VCPU, 7, "0-3", "1");
	add(d, THREAD_VCPU, 0, "0-3", "1");
	add(d, THREAD_VCPU, 1, "0-3", "1");
	check_said(
		d, CAUSE_DRIFT, NULL, "qmpind: vm 103: vCPUs 0-1,7 0-3 -> 1 (drift)\n");
}

static void
a_single_thread_is_told_by_its_class(void **state)
{
	static const struct {
		enum thread_class class;
		const char *want;
	} cases[] = {
		{THREAD_IOTHREAD, "qmpind: vm 103: iothread 0-3 -> 1 (drift)\n"},
		{THREAD_EMULATOR, "qmpind: vm 103: emulator 0-3 -> 1 (drift)\n"},
		{THREAD_VHOST, "qmpind: vm 103: vhost 0-3 -> 1 (drift)\n"},
		{THREAD_WORKER, "qmpind: vm 103: worker 0-3 -> 1 (drift)\n"},
	};
	struct desk *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		d->n = 0;
		add(d, cases[i].class, -1, "0-3", "1");
		check_said(d, CAUSE_DRIFT, NULL, cases[i].want);
	}
}

static void
threads_beside_the_vcpus_are_counted_in_a_line_behind_them(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_WORKER, -1, "0-3", "1");
	add(d, THREAD_WORKER, -1, "0-3", "1");
	add(d, THREAD_EMULATOR, -1, "0-3", "1");
	add(d, THREAD_VCPU, 0, "0-3", "1");
	check_said(d, CAUSE_DRIFT, NULL,
		"qmpind: vm 103: vCPU 0 0-3 -> 1 (drift)\n"
		"qmpind: vm 103: emulator and 2 more threads 0-3 -> 1 (drift)\n");
}

static void
two_threads_are_one_and_one_more(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_WORKER, -1, "0-3", "1");
	add(d, THREAD_EMULATOR, -1, "0-3", "1");
	check_said(d, CAUSE_DRIFT, NULL,
		"qmpind: vm 103: emulator and 1 more thread 0-3 -> 1 (drift)\n");
}

static void
a_thread_without_online_cpus_had_none(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_VCPU, 0, "", "1");
	check_said(d, CAUSE_DRIFT, NULL, "qmpind: vm 103: vCPU 0 none -> 1 (drift)\n");
}

static void
what_was_only_thought_of_says_so_first(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_VCPU, 0, "0-3", "1");
	check_said(d, CAUSE_APPEARED, "dry run",
		"qmpind: vm 103: vCPU 0 0-3 -> 1 "
		"(dry run; appeared; L3 group 2: free cores)\n");
}

/* What followers of decisions are told, after what the log was. */
static void
check_line(struct desk *d, enum cause cause, const char *pretence, const char *want)
{
	auto_free char *line = NULL;

	report_moves(d->vm, d->moves, d->n, LOG_INFO, cause, pretence);
	line = report_line(d->vm, d->moves, d->n, cause, pretence);
	assert_string_equal(line, want);
}

static void
one_line_tells_all_that_moved(void **state)
{
	struct desk *d = *state;

	add(d, THREAD_EMULATOR, -1, "0-63", "8-15");
	check_line(d, CAUSE_RESUME, "dry run",
		"emulator 0-63 -> 8-15 (dry run; resume; L3 group 2: free cores)");
	add(d, THREAD_VCPU, 0, "0-63", "8-11");
	add(d, THREAD_VCPU, 1, "0-63", "8-11");
	check_line(d, CAUSE_RESUME, NULL,
		"vCPUs 0-1 0-63 -> 8-11; emulator 0-63 -> 8-15 "
		"(resume; L3 group 2: free cores)");
	d->n = 0;
	add(d, THREAD_VCPU, 0, "0-3", "0");
	add(d, THREAD_VCPU, 1, "4-7", "1");
	check_line(d, CAUSE_HOTPLUG, NULL,
		"vCPUs 0-1 0-7 -> 0-1 one each (hotplug; L3 group 2: free cores)");
	add(d, THREAD_VCPU, 2, "4-7", "4-5");
	str_copy(d->vm->drift.text, sizeof(d->vm->drift.text), "taskset");
	check_line(d, CAUSE_DRIFT, NULL,
		"vCPUs 0-2 0-7 -> 0-1,4-5 in parts (drift: taskset)");
}

static void
no_moves_are_no_line(void **state)
{
	check_said(*state, CAUSE_RESUME, NULL, "");
}

static void
a_mask_too_long_for_a_line_is_cut_at_a_whole_item(void **state)
{
	struct desk *d = *state;
	const char *text;

	add(d, THREAD_VCPU, 0, "", "1");
	for (unsigned int cpu = 1; cpu < CPUSET_CAP; cpu += 2)
		cpuset_add(&d->moves[0].from, cpu);
	report_moves(d->vm, d->moves, d->n, LOG_INFO, CAUSE_DRIFT, NULL);
	text = strbuf_text(&d->log.text);
	assert_non_null(strstr(text, "vCPU 0 1,3,5,"));
	assert_non_null(strstr(text, ",... -> 1 (drift)\n"));
}

static void
trouble_is_said_once_until_it_is_another_one_or_over(void **state)
{
	struct desk *d = *state;
	struct err first = ERR_NONE;
	struct err second = ERR_NONE;

	err_set(&first, -EIO, "/run/x", 3, "is broken");
	err_set(&second, -EIO, NULL, 0, "is worse");
	report_trouble(d->vm, &first);
	report_trouble(d->vm, &first);
	report_trouble(d->vm, &second);
	report_troublef(d->vm, "is %s", "worse");
	assert_string_equal(d->vm->note, "is worse");
	report_better(d->vm);
	report_better(d->vm);
	assert_string_equal(d->vm->note, "");
	report_trouble(d->vm, &second);
	assert_string_equal(strbuf_text(&d->log.text),
		"qmpind: warning: vm 103: /run/x:3: is broken\n"
		"qmpind: warning: vm 103: is worse\n"
		"qmpind: vm 103: all well again\n"
		"qmpind: warning: vm 103: is worse\n");
}

static void
what_came_from_outside_is_escaped(void **state)
{
	struct desk *d = *state;
	struct err e = ERR_NONE;

	err_set(&e, -EIO, NULL, 0, "QMP says \"%s\"", "a\x1b[31m\nb\xff");
	report_trouble(d->vm, &e);
	assert_string_equal(strbuf_text(&d->log.text),
		"qmpind: warning: vm 103: QMP says \"a\\x1b[31m\\x0ab\\xff\"\n");
}

static void
a_note_that_is_not_the_trouble_outlives_it(void **state)
{
	struct desk *d = *state;

	report_troublef(d->vm, "is broken");
	str_copy(d->vm->note, sizeof(d->vm->note), "mode is off");
	report_better(d->vm);
	assert_string_equal(d->vm->note, "mode is off");
}

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DESK(vcpus_with_the_same_masks_share_a_line),
		AT_DESK(one_vcpu_is_told_in_the_singular),
		AT_DESK(vcpus_of_different_masks_get_a_line_each_in_the_order_of_their_cpus),
		AT_DESK(gaps_in_the_indices_are_shown),
		AT_DESK(a_single_thread_is_told_by_its_class),
		AT_DESK(threads_beside_the_vcpus_are_counted_in_a_line_behind_them),
		AT_DESK(two_threads_are_one_and_one_more),
		AT_DESK(a_thread_without_online_cpus_had_none),
		AT_DESK(what_was_only_thought_of_says_so_first),
		AT_DESK(one_line_tells_all_that_moved),
		AT_DESK(no_moves_are_no_line),
		AT_DESK(a_mask_too_long_for_a_line_is_cut_at_a_whole_item),
		AT_DESK(trouble_is_said_once_until_it_is_another_one_or_over),
		AT_DESK(what_came_from_outside_is_escaped),
		AT_DESK(a_note_that_is_not_the_trouble_outlives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
