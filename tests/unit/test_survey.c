// SPDX-License-Identifier: MIT
/* Which masks are taken for those that threads had before us, where CPUs are offline:
 * they do not show. Here one is that the machine does not have. */
#include "config.h"

#include "daemon/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "act/record.h"
#include "expect.h"
#include "stage.h"
#include "vm/taskmask.h"

#define OFFLINE (CPUSET_CAP - 1)

/* What the kernel tells of all threads; empty: it cannot be asked. */
static struct cpuset *
asked(void)
{
	static struct cpuset the;

	return &the;
}

int __wrap_taskmask_read(int procfd, pid_t pid, pid_t tid, struct cpuset *out);

int
__wrap_taskmask_read(int procfd, pid_t pid, pid_t tid, struct cpuset *out)
{
	(void)procfd;
	(void)pid;
	(void)tid;
	if (cpuset_empty(asked()))
		return -EACCES;
	*out = *asked();
	return 0;
}

/* Of two vCPUs that may use the second CPU. */
static struct vm *
start(struct stage *s, const struct cpuset *kernel_says)
{
	*asked() = *kernel_says;
	s->config.reserved_cpus = CPUSET_NONE;
	s->vms[0] = standin_new(s->vm_dir, 100);
	standin_set_mask(s->vms[0].pid, &s->second);
	(void)standin_plug(&s->vms[0], 0);
	(void)standin_plug(&s->vms[0], 1);
	standin_listen(&s->vms[0]);
	return stage_start_with(s, "100");
}

static struct cpuset
with_offline(const struct cpuset *cpus)
{
	struct cpuset out = *cpus;

	cpuset_add(&out, OFFLINE);
	return out;
}

static void
check_limits(const struct vm *vm, const struct cpuset *wanted)
{
	char text[CPUSET_TEXT_MAX];

	expect_cpus(
		&vm->record.limit, cpuset_format(wanted, text, sizeof(text)), "limit");
	for (size_t i = 0; i < vm->record.n_threads; i++)
		expect_cpus(vm->record.threads[i].cpus, text, "a thread's mask");
}

static void
an_offline_cpu_that_was_asked_for_is_part_of_the_mask(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset before = with_offline(&s->second);

	check_limits(start(s, &before), &before);
}

static void
a_mask_of_which_nothing_more_is_told_is_what_shows(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset nothing = CPUSET_NONE;

	check_limits(start(s, &nothing), &s->second);
}

/* It was changed between the two looks. */
static void
what_is_told_of_another_mask_does_not_count(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset other = with_offline(&s->first);

	check_limits(start(s, &other), &s->second);
}

/* It is not touched, so it is looked at as if for the first time. */
static struct vm *
look_with_affinity(struct stage *s, const struct cpuset *affinity)
{
	struct cpuset nothing = CPUSET_NONE;
	struct vm *vm;

	s->config.mode = PLACE_OBSERVE;
	vm = start(s, &nothing);
	vm->wishes.affinity = wishes_keep(affinity);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_settle(s);
	return vm;
}

static void
affinity_of_which_the_mask_is_all_there_can_be_is_the_mask(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset affinity = with_offline(&s->second);

	check_limits(look_with_affinity(s, &affinity), &affinity);
}

static void
affinity_that_another_mask_does_not_come_from_says_nothing(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset affinity = with_offline(&s->all);

	check_limits(look_with_affinity(s, &affinity), &s->second);
}

static void
the_record_on_disk_has_the_offline_cpu_too(void **state)
{
	struct stage *s = stage_of(state);
	struct cpuset before = with_offline(&s->second);
	struct record found;
	struct err why = ERR_NONE;

	start(s, &before);
	standin_set_mask(s->vms[0].claims[0], &s->first);
	stage_audit(s); /* the first set */
	stage_check_mask(s->vms[0].claims[0], &s->second);
	assert_int_equal(record_load(s->run_dirfd, "100", &found, &why), 0);
	assert_true(cpuset_equal(&found.limit, &before));
	record_fini(&found);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(an_offline_cpu_that_was_asked_for_is_part_of_the_mask),
		ON_STAGE(a_mask_of_which_nothing_more_is_told_is_what_shows),
		ON_STAGE(what_is_told_of_another_mask_does_not_count),
		ON_STAGE(affinity_of_which_the_mask_is_all_there_can_be_is_the_mask),
		ON_STAGE(affinity_that_another_mask_does_not_come_from_says_nothing),
		ON_STAGE(the_record_on_disk_has_the_offline_cpu_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
