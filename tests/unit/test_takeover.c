// SPDX-License-Identifier: MIT
/*
 * A daemon that is killed while it places a VM, at any of its calls that leave a trace:
 * from then on none of them does anything. The next daemon moves no vCPU that has its
 * place, though it would choose another one.
 */
#include "config.h"

#include "daemon/takeover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "act/affinity.h"
#include "act/record.h"
#include "stage.h"

/* Calls that the daemon lives to make: records written, and masks of vCPUs and other
 * threads set. */
#define FOR_EVER UINT_MAX

struct life {
	unsigned int left;
	unsigned int made;
};

static struct life *
life(void)
{
	static struct life the = {.left = FOR_EVER};

	return &the;
}

static void
lives_for(unsigned int calls)
{
	*life() = (struct life){.left = calls};
}

static bool
is_alive(void)
{
	struct life *l = life();

	if (l->left == 0)
		return false;
	l->left -= l->left != FOR_EVER;
	l->made++;
	return true;
}

int __real_record_save(int dirfd, const struct record *r, struct err *e);
int __wrap_record_save(int dirfd, const struct record *r, struct err *e);
int __real_affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had);
int __wrap_affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had);

int
__wrap_record_save(int dirfd, const struct record *r, struct err *e)
{
	return is_alive() ? __real_record_save(dirfd, r, e) : -EIO;
}

int
__wrap_affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had)
{
	return is_alive() ? __real_affinity_apply(t, want, had) : -ESRCH;
}

struct kind {
	enum place_mode mode;
	unsigned int n_vcpus;
};

static const struct kind float_one = {PLACE_FLOAT, 1};
static const struct kind pin_two = {PLACE_PIN, 2};

/* The record, a mask for each vCPU, the main thread and an iothread, the record. */
static unsigned int
calls_of(const struct kind *kind)
{
	return kind->n_vcpus + 4;
}

static void
begin(struct stage *s, const struct kind *kind)
{
	s->apart = true;
	s->config.mode = kind->mode;
	s->vms[0] = standin_vm(s->vm_dir, 100, kind->n_vcpus);
}

static void
end(struct stage *s)
{
	stage_stop(s);
	assert_int_equal(unlink(s->vms[0].socket_path), 0);
	standin_fini(&s->vms[0]);
}

/* The first daemon has nothing but the second CPU to give, the next one has both, and
 * begins with the first. */
static void
kill_after(struct stage *s, unsigned int calls)
{
	s->config.reserved_cpus = s->first;
	lives_for(calls);
	stage_start_with(s, "100");
	stage_stop(s);
}

static void
start_next(struct stage *s)
{
	s->config.reserved_cpus = CPUSET_NONE;
	lives_for(FOR_EVER);
	stage_start_with(s, "100");
}

static bool
is_placed_on_disk(const struct stage *s)
{
	struct record r;
	struct err why = ERR_NONE;
	bool placed;

	assert_int_equal(record_load(s->run_dirfd, "100", &r, &why), 0);
	placed = r.placed;
	record_fini(&r);
	return placed;
}

/* Returns how many vCPUs had their place when the first daemon was killed. */
static unsigned int
check_after(struct stage *s, const struct kind *kind, unsigned int calls)
{
	struct cpuset had[2];
	unsigned int n = 0;

	begin(s, kind);
	kill_after(s, calls);
	for (unsigned int i = 0; i < kind->n_vcpus; i++)
		had[i] = standin_mask(s->vms[0].claims[i]);
	start_next(s);
	for (unsigned int i = 0; i < kind->n_vcpus; i++) {
		struct cpuset has = standin_mask(s->vms[0].claims[i]);

		if (!cpuset_equal(&had[i], &s->second))
			continue;
		n++;
		if (!cpuset_equal(&has, &s->second))
			fail_msg("mode %s, killed after %u calls: vCPU %u was moved",
				place_mode_name(kind->mode), calls, i);
	}
	assert_true(is_placed_on_disk(s));
	end(s);
	return n;
}

static void
check_all(struct stage *s, const struct kind *kind)
{
	unsigned int most = 0;

	for (unsigned int calls = 0; calls < calls_of(kind); calls++) {
		unsigned int n = check_after(s, kind, calls);

		most = n > most ? n : most;
	}
	assert_int_equal(most, kind->n_vcpus);
}

static void
a_vcpu_that_has_its_place_stays_whenever_its_daemon_is_killed(void **state)
{
	struct stage *s = stage_of(state);

	check_all(s, &float_one);
	check_all(s, &pin_two);
}

/* So that no kill is left out above. */
static void
a_daemon_makes_so_many_calls_for_it(void **state)
{
	struct stage *s = stage_of(state);

	begin(s, &float_one);
	kill_after(s, FOR_EVER);
	assert_int_equal(life()->made, calls_of(&float_one));
	assert_true(is_placed_on_disk(s));
	start_next(s);
	assert_int_equal(life()->made, 0);
	end(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_vcpu_that_has_its_place_stays_whenever_its_daemon_is_killed,
			stage_setup, stage_teardown),
		cmocka_unit_test_setup_teardown(a_daemon_makes_so_many_calls_for_it,
			stage_setup, stage_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
