// SPDX-License-Identifier: MIT
/*
 * Do no harm: busy VMs squeezed on one CPU while another one idles are given it too,
 * and keep it. Real threads, whose counters are real; time is virtual.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"
#include "vm/schedstat.h"

#define DWELL_MS (300u * 1000)

/* So much must a thread have waited in a round of two seconds to count for sure. */
#define WAITED_NS UINT64_C(120000000)

static int
read_counters(const struct stage *s, const struct standin *vm, struct schedstat *out)
{
	char dir[32];

	(void)snprintf(dir, sizeof(dir), "%d/task/", (int)vm->pid);
	return schedstat_read(s->procfd, dir, vm->claims[0], out);
}

static bool
counts(const struct stage *s)
{
	struct schedstat stat;

	return read_counters(s, &s->vms[0], &stat) != -ENODATA;
}

struct mark {
	struct standin *vm;
	struct schedstat before;
};

static struct schedstat
counters(const struct stage *s, const struct standin *vm)
{
	struct schedstat stat = {0};

	if (read_counters(s, vm, &stat) < 0)
		fail_msg("no counters of VM %d", vm->vmid);
	return stat;
}

static bool
has_waited(struct stage *s, const void *arg)
{
	const struct mark *m = arg;
	struct schedstat now = counters(s, m->vm);

	return now.wait_ns - m->before.wait_ns > WAITED_NS &&
	       now.run_ns - m->before.run_ns > WAITED_NS / 2;
}

/* A round of the audit in which the first two VMs, on one CPU, have waited. */
static void
round_of_waiting(struct stage *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct mark m = {&s->vms[i], counters(s, &s->vms[i])};

		stage_until(s, has_waited, &m, "the vCPU waits");
	}
	stage_audit_later(s);
}

/* Two VMs of one busy vCPU each on the first CPU, which is half of the host. */
static void
squeeze(struct stage *s, const char *settings)
{
	s->apart = true;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	if (!counts(s)) {
		print_message("this kernel does not count run delays\n");
		skip();
	}
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "101");
	s->config.reserved_cpus = CPUSET_NONE;
	stage_reload(s, settings);
	standin_load(&s->vms[0], s->vms[0].claims[0], true);
	standin_load(&s->vms[1], s->vms[1].claims[0], true);
	/* the counters are read for the first time */
	stage_audit_later(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	stage_check_mask(s->vms[1].claims[0], &s->first);
}

static void
two_vms_squeezed_on_one_l3_are_widened_within_two_audits(void **state)
{
	struct stage *s = stage_of(state);

	squeeze(s, "[qmpin]\n");
	round_of_waiting(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	round_of_waiting(s);
	stage_check_mask(s->vms[0].claims[0], &s->all);
	stage_check_mask(s->vms[1].claims[0], &s->all);
	assert_int_equal(logcatch_count(&s->log, "(waiting; "), 2 * 2);
	assert_int_equal(logcatch_count(&s->log, "widened since it waited "), 2 * 2);
}

static void
what_is_waited_is_told(void **state)
{
	struct stage *s = stage_of(state);

	squeeze(s, "[qmpin]\n");
	assert_true(squeeze_wait_pct(engine_find(s->engine, "100")) < 0);
	round_of_waiting(s);
	assert_true(squeeze_wait_pct(engine_find(s->engine, "100")) > 5);
}

static void
check_loose(const struct stage *s)
{
	stage_check_mask(s->vms[0].claims[0], &s->all);
	stage_check_mask(s->vms[1].claims[0], &s->all);
}

/* Two VMs that are pinned to the first CPU have waited, and may use both. */
static void
loosen(struct stage *s)
{
	s->config.mode = PLACE_PIN;
	squeeze(s, "[qmpin]\nmode = pin\n");
	round_of_waiting(s);
	round_of_waiting(s);
	check_loose(s);
}

static void
pinned_vms_are_loosened_and_not_pinned_again_before_the_dwell(void **state)
{
	struct stage *s = stage_of(state);

	loosen(s);
	standin_load(&s->vms[0], s->vms[0].claims[0], false);
	stage_pass_ms(s, DWELL_MS - 1);
	stage_rebalance(s);
	check_loose(s);
	stage_pass_ms(s, 1);
	stage_rebalance(s);
	assert_int_equal(cpuset_count(&engine_find(s->engine, "100")->domain), 1);
	assert_int_equal(cpuset_count(&engine_find(s->engine, "101")->domain), 1);
}

static void
a_restart_pins_nobody_again_who_was_loosened(void **state)
{
	struct stage *s = stage_of(state);

	loosen(s);
	standin_load(&s->vms[0], s->vms[0].claims[0], false);
	standin_load(&s->vms[1], s->vms[1].claims[0], false);
	stage_stop(s);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "101");
	check_loose(s);
	stage_pass_ms(s, DWELL_MS);
	stage_rebalance(s);
	assert_int_equal(cpuset_count(&engine_find(s->engine, "100")->domain), 1);
}

static void
observed_vms_are_not_touched(void **state)
{
	struct stage *s = stage_of(state);

	squeeze(s, "[qmpin]\n");
	stage_reload(s, "[qmpin]\nmode = observe\n");
	for (unsigned int i = 0; i < 3; i++)
		round_of_waiting(s);
	stage_check_mask(s->vms[0].claims[0], &s->first);
	assert_int_equal(logcatch_count(&s->log, "(waiting; "), 0);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(two_vms_squeezed_on_one_l3_are_widened_within_two_audits),
		ON_STAGE(what_is_waited_is_told),
		ON_STAGE(pinned_vms_are_loosened_and_not_pinned_again_before_the_dwell),
		ON_STAGE(a_restart_pins_nobody_again_who_was_loosened),
		ON_STAGE(observed_vms_are_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
