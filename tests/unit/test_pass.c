// SPDX-License-Identifier: MIT
/* In which order a pass sets masks, and what is kept of its decisions. */
#include "config.h"

#include "daemon/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "stage.h"

/* CPU 0's core is nobody's alone, so the dedicated VM gets the second one. The others
 * still have their first masks. */
static void
others_leave_before_a_dedicated_vm_comes_and_return_when_it_ends(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;
	const char *left;
	const char *came;

	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	s->vms[2] = standin_vm(s->vm_dir, 102, 2);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "102");
	stage_reload(s, "[vm 101]\nmode = dedicated\n");
	stage_check_mask(s->vms[2].claims[0], &s->all);
	assert_int_equal(s->engine->stats.sets, 0);
	passes = s->engine->stats.passes;
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	stage_until_seen(s, "101");
	assert_int_equal(s->engine->stats.passes, passes + 1);
	stage_check_mask(s->vms[1].claims[0], &s->second);
	stage_check_mask(s->vms[0].claims[1], &s->first);
	stage_check_mask(s->vms[0].pid, &s->first);
	stage_check_mask(s->vms[2].claims[0], &s->first);
	came = strstr(strbuf_text(&s->log.text), "vm 101: vCPU 0 ");
	left = strstr(strbuf_text(&s->log.text), "vm 102: vCPUs 0-1 ");
	assert_true(left != NULL && came != NULL && left < came);
	standin_kill(&s->vms[1]);
	stage_until_said(s, "vm 101: ended");
	stage_settle(s);
	stage_check_mask(s->vms[0].claims[1], &s->all);
	stage_check_mask(s->vms[2].claims[0], &s->all);
}

static void
decisions_are_kept_and_the_last_repairs(void **state)
{
	struct stage *s = stage_of(state);
	const struct decision *d;
	struct vm *vm;

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	vm = stage_start_with(s, "100");
	assert_int_equal(vm->history.n, 1);
	d = history_at(&vm->history, 0);
	assert_int_equal(d->cause, CAUSE_APPEARED);
	assert_int_equal(d->time_us, s->clock.now_us);
	assert_non_null(strstr(d->text, "from CPUs "));
	assert_non_null(strstr(d->text, vm->why));
	for (unsigned int i = 1; i <= 3; i++) {
		standin_set_mask(s->vms[0].claims[0], &s->second);
		stage_pass_ms(s, 1000);
		stage_audit(s);
		assert_int_equal(vm->repairs, i);
		assert_int_equal(vm->history.n, 2);
	}
	d = history_at(&vm->history, 1);
	assert_int_equal(d->cause, CAUSE_DRIFT);
	assert_int_equal(d->time_us, s->clock.now_us);
	assert_non_null(strstr(d->text, "only one vCPU set to "));
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(
			others_leave_before_a_dedicated_vm_comes_and_return_when_it_ends),
		ON_STAGE(decisions_are_kept_and_the_last_repairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
