// SPDX-License-Identifier: MIT
/* Which processes beside a QEMU are its VM's, by what was read of them. */
#include "config.h"

#include "vm/kinship.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "base/str.h"

#define KERNEL 0x00200000u /* PF_KTHREAD */

static struct task_stat
process(pid_t pid, const char *comm, unsigned int flags, uint64_t start_ticks)
{
	struct task_stat s = {
		.tid = pid, .state = 'S', .flags = flags, .start_ticks = start_ticks};

	str_copy(s.comm, sizeof(s.comm), comm);
	return s;
}

static void
each_process_of_a_scope_is_what_it_proves_to_be(void **state)
{
	static const struct {
		const char *comm;
		unsigned int flags;
		uint64_t start_ticks;
		enum kinship kinship;
	} cases[] = {
		{"swtpm", 0, 400, KINSHIP_HELPER}, /* started before its QEMU */
		{"virtiofsd", 0x400040, 600, KINSHIP_HELPER},
		{"", 0, 600, KINSHIP_HELPER},
		{"passt.avx2", 0, 600, KINSHIP_HELPER},
		{"qemu-bridge-hel", 0, 600, KINSHIP_HELPER},
		{"vhost-4711", 0, 600, KINSHIP_HELPER}, /* anybody can have that name */
		{"kvm", 0, 600, KINSHIP_RIVAL},
		{"kvm", 0, 400, KINSHIP_RIVAL},
		{"qemu-system-x86", 0, 600, KINSHIP_RIVAL},
		{"qemu-kvm", 0, 600, KINSHIP_RIVAL},
		{"a QEMU", 0, 600, KINSHIP_RIVAL}, /* as the VM's own is called */
		{"vhost-4711", KERNEL, 600, KINSHIP_VHOST},
		{"vhost-4711", KERNEL | 0x8040, 500, KINSHIP_VHOST},
		{"vhost-4711", KERNEL, 499, KINSHIP_NONE}, /* of an earlier process */
		{"vhost-471", KERNEL, 600, KINSHIP_NONE},
		{"vhost-47110", KERNEL, 600, KINSHIP_NONE},
		{"vhost-4711 ", KERNEL, 600, KINSHIP_NONE},
		{"vhost-", KERNEL, 600, KINSHIP_NONE},
		{"vhost-+4711", KERNEL, 600, KINSHIP_NONE},
		{"vhost-99999999999999999999", KERNEL, 600, KINSHIP_NONE},
		{"vhost-4294972007", KERNEL, 600, KINSHIP_NONE}, /* 2^32 + 4711 */
		{"xvhost-4711", KERNEL, 600, KINSHIP_NONE},
		{"kvm-nx-lpage-recovery-4711", KERNEL, 600, KINSHIP_NONE},
		{"kvm", KERNEL, 600, KINSHIP_NONE},
		{"kworker/0:1", KERNEL, 600, KINSHIP_NONE},
	};
	const struct task_stat qemu = process(4711, "a QEMU", 0, 500);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct task_stat other = process(
			4800, cases[i].comm, cases[i].flags, cases[i].start_ticks);
		enum kinship kinship = kinship_of(&qemu, &other);

		if (kinship != cases[i].kinship)
			fail_msg(
				"case %zu, \"%s\": %d", i, cases[i].comm, (int)kinship);
	}
}

static void
a_vhost_thread_names_the_process_it_works_for(void **state)
{
	struct task_stat s = process(77, "vhost-4711", KERNEL, 1);

	(void)state;
	assert_int_equal(kinship_vhost_of(&s), 4711);
	s = process(77, "vhost-4711", 0, 1);
	assert_int_equal(kinship_vhost_of(&s), 0);
	s = process(77, "vhost-0", KERNEL, 1);
	assert_int_equal(kinship_vhost_of(&s), 0);
	s = process(77, "vhost-x", KERNEL, 1);
	assert_int_equal(kinship_vhost_of(&s), 0);
}

static void
the_scope_is_that_of_proxmox(void **state)
{
	static const char longest[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	char scope[KINSHIP_SCOPE_MAX];

	(void)state;
	kinship_scope("103", scope);
	assert_string_equal(scope, "/qemu.slice/103.scope");
	kinship_scope(longest, scope);
	assert_int_equal(strlen(scope), strlen("/qemu.slice/.scope") + 64);
}

static void
kernels_before_6_4_have_threads_for_vhost(void **state)
{
	static const struct {
		const char *release;
		bool has;
	} cases[] = {
		{"6.1.0-18-amd64", true},
		{"5.15.158-2-pve", true},
		{"6.2.16-20-pve", true},
		{"6.3", true},
		{"6.4.0", false},
		{"6.4-rc1", false},
		{"6.12.48+deb13-amd64", false},
		{"6.8.12-9-pve", false},
		{"7.0.0", false},
		{"10.1.0", false},
		{"4.19.0", true},
		{"", false},
		{"6", false},
		{"6.", false},
		{".1", false},
		{"unknown", false},
		{"999999999999999999999.1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (kinship_kernel_has_vhosts(cases[i].release) != cases[i].has)
			fail_msg("%s", cases[i].release);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_of_a_scope_is_what_it_proves_to_be),
		cmocka_unit_test(a_vhost_thread_names_the_process_it_works_for),
		cmocka_unit_test(the_scope_is_that_of_proxmox),
		cmocka_unit_test(kernels_before_6_4_have_threads_for_vhost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
