// SPDX-License-Identifier: MIT
/* Which processes beside a QEMU belong to its VM. Pure; when in doubt, none does. */
#include "config.h"

#include "vm/kinship.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* The kernel's include/linux/sched.h; no program can have it. */
#define PF_KTHREAD 0x00200000u

#define VHOST "vhost-"

/* vhost's threads became tasks of the process in Linux 6.4. */
#define VHOST_TASKS_MAJOR 6u
#define VHOST_TASKS_MINOR 4u

void
kinship_scope(const char *id, char out[KINSHIP_SCOPE_MAX])
{
	(void)snprintf(out, KINSHIP_SCOPE_MAX, "/qemu.slice/%s.scope", id);
}

/* By its name: QEMU's own, or one that distributions give it. */
static bool
is_qemu(const struct task_stat *qemu, const struct task_stat *other)
{
	return str_equal(other->comm, qemu->comm) || str_equal(other->comm, "kvm") ||
	       str_equal(other->comm, "qemu-kvm") ||
	       str_has_prefix(other->comm, "qemu-system-");
}

pid_t
kinship_vhost_of(const struct task_stat *thread)
{
	uint64_t pid;

	if ((thread->flags & PF_KTHREAD) == 0 || !str_has_prefix(thread->comm, VHOST))
		return 0;
	if (str_parse_uint(thread->comm + strlen(VHOST), INT_MAX, &pid) < 0)
		return 0;
	return (pid_t)pid;
}

enum kinship
kinship_of(const struct task_stat *qemu, const struct task_stat *other)
{
	if ((other->flags & PF_KTHREAD) != 0)
		return kinship_vhost_of(other) == qemu->tid &&
				       other->start_ticks >= qemu->start_ticks
			       ? KINSHIP_VHOST
			       : KINSHIP_NONE;
	return is_qemu(qemu, other) ? KINSHIP_RIVAL : KINSHIP_HELPER;
}

/* Digits at *p, which moves behind them. Returns false where there are none. */
static bool
read_part(const char **p, unsigned int *out)
{
	const char *first = *p;
	unsigned int value = 0;

	for (; **p >= '0' && **p <= '9' && value < 100000; (*p)++)
		value = value * 10 + (unsigned int)(**p - '0');
	*out = value;
	return *p > first;
}

bool
kinship_kernel_has_vhosts(const char *release)
{
	unsigned int major;
	unsigned int minor;

	if (!read_part(&release, &major) || *release != '.')
		return false;
	release++;
	if (!read_part(&release, &minor))
		return false;
	return major < VHOST_TASKS_MAJOR ||
	       (major == VHOST_TASKS_MAJOR && minor < VHOST_TASKS_MINOR);
}
