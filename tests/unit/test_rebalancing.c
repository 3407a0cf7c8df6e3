// SPDX-License-Identifier: MIT
/*
 * When running VMs may be moved for a gain: in a pass of its own, when nothing else has
 * a better claim. In virtual time.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <string.h>

#include "base/attr.h"
#include "stage.h"

/* Two VMs that have rested. */
static void
crowd(struct stage *s)
{
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "101");
	stage_pass_ms(s, 3600000);
}

/* Where it is not wanted or cannot be right, there is not even a pass. */
static void
no_turn_where_nobody_may_be_moved(void **state)
{
	static const char *const settings[] = {"[qmpin]\nrebalance = no\n",
		"[qmpin]\nmode = off\n", "[qmpin]\nmode = observe\n"};
	struct stage *s = stage_of(state);

	crowd(s);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		uint64_t passes;

		stage_reload(s, settings[i]);
		passes = s->engine->stats.passes;
		stage_rebalance(s);
		if (s->engine->stats.passes != passes)
			fail_msg("%s", settings[i]);
	}
}

static void
a_dry_run_rebalances_nothing(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	s->dry_run = true;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	passes = s->engine->stats.passes;
	stage_rebalance(s);
	assert_int_equal(s->engine->stats.passes, passes);
}

static void
a_turn_looks_at_no_vm_and_sets_nothing_that_is_right(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;
	uint64_t sets;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	passes = s->engine->stats.passes;
	sets = s->engine->stats.sets;
	stage_pass_ms(s, 3600000);
	stage_rebalance(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
	assert_int_equal(s->engine->stats.sets, sets);
	assert_int_equal(s->engine->stats.rebalanced, 0);
}

/* A turn, and an event with it. Returns the passes that these took. */
static uint64_t
turn_with_an_event(struct stage *s)
{
	uint64_t before = s->engine->stats.passes;

	engine_rebalance(s->engine);
	engine_kick(s->engine, s->engine->vms[0], CAUSE_RELOAD);
	stage_settle(s);
	assert_false(s->engine->rebalance_due);
	return s->engine->stats.passes - before;
}

/* Both at once: the event's pass moves nobody, the turn's comes behind it. */
static void
an_event_is_answered_without_moving_others(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	crowd(s);
	assert_int_equal(turn_with_an_event(s), 2);
	passes = s->engine->stats.passes;
	engine_kick_all(s->engine, CAUSE_RELOAD);
	stage_settle(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
}

/* Where events leave no quiet moment for a minute. */
static void
a_turn_that_was_put_off_comes_with_an_event(void **state)
{
	struct stage *s = stage_of(state);

	crowd(s);
	engine_rebalance(s->engine);
	assert_int_equal(turn_with_an_event(s), 1);
	assert_int_equal(turn_with_an_event(s), 2);
}

/* Two running VMs were there before qmpind: until both are taken over, the budget of
 * moves is theirs, and nothing of it is saved for later. */
static void
the_first_contact_has_the_budget_before(void **state)
{
	struct stage *s = stage_of(state);
	uint64_t passes;

	s->config.adopt = SETTINGS_ADOPT_GRADUAL;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	stage_start(s);
	stage_until_seen(s, "100");
	stage_until_seen(s, "101");
	assert_true(s->engine->vms[0]->preexisting != s->engine->vms[1]->preexisting);
	passes = s->engine->stats.passes;
	s->engine->allowance.vms = 1;
	stage_rebalance(s);
	assert_int_equal(s->engine->stats.passes, passes);
	stage_pass_ms(s, 60001);
	stage_adoption(s);
	assert_false(s->engine->vms[0]->preexisting || s->engine->vms[1]->preexisting);
	assert_true(s->engine->allowance.vms < 1);
	passes = s->engine->stats.passes;
	stage_rebalance(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
}

/* A socket that a QEMU left behind: nobody will ever look at that VM. */
static void
one_that_never_answers_has_no_claim_to_the_budget(void **state)
{
	struct stage *s = stage_of(state);
	const struct vm *left;
	uint64_t passes;

	s->config.adopt = SETTINGS_ADOPT_GRADUAL;
	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	s->vms[1] = standin_vm(s->vm_dir, 101, 1);
	standin_kill(&s->vms[1]);
	stage_start(s);
	stage_until_seen(s, "100");
	left = engine_find(s->engine, "101");
	assert_non_null(left);
	assert_true(left->preexisting && !left->surveyed);
	passes = s->engine->stats.passes;
	stage_rebalance(s);
	assert_int_equal(s->engine->stats.passes, passes + 1);
}

#define ON_STAGE(name) \
	cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(no_turn_where_nobody_may_be_moved),
		ON_STAGE(a_dry_run_rebalances_nothing),
		ON_STAGE(a_turn_looks_at_no_vm_and_sets_nothing_that_is_right),
		ON_STAGE(an_event_is_answered_without_moving_others),
		ON_STAGE(a_turn_that_was_put_off_comes_with_an_event),
		ON_STAGE(the_first_contact_has_the_budget_before),
		ON_STAGE(one_that_never_answers_has_no_claim_to_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
