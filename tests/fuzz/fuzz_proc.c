// SPDX-License-Identifier: MIT
/*
 * What /proc and the directory of monitors say of a VM: stat and schedstat files, names
 * of threads, a command line, a pidfile, a socket's name. What is accepted is what the
 * text says; what is refused leaves the output alone.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"
#include "vm/identity.h"
#include "vm/kinship.h"
#include "vm/schedstat.h"
#include "vm/sockdir.h"
#include "vm/task.h"
#include "vm/taskmask.h"
#include "vm/threads.h"
#include "vm/vfio.h"

#define FEW 12u

static void
check_stat(const char *bytes, size_t len)
{
	struct task_stat again;
	struct task_stat before;
	struct task_stat s;
	char line[512];
	int r;

	memset(&s, 0x5a, sizeof(s));
	before = s;
	if (task_stat_parse(bytes, len, &s) < 0) {
		assert(memcmp(&s, &before, sizeof(s)) == 0);
		return;
	}
	assert(s.tid > 0 && s.last_cpu >= 0 && isalpha((unsigned char)s.state));
	assert(strnlen(s.comm, sizeof(s.comm)) < sizeof(s.comm));
	assert(!threads_is_lasting(s.comm) || threads_is_helper(s.comm));
	assert(kinship_vhost_of(&s) >= 0);
	r = snprintf(line, sizeof(line),
		"%d (%s) %c 1 1 1 0 -1 %u 0 0 0 0 %" PRIu64 " 0 0 0 20 0 1 0 %" PRIu64
		" 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d\n",
		(int)s.tid, s.comm, s.state, s.flags, s.cpu_ticks, s.start_ticks,
		s.last_cpu);
	assert(r > 0 && (size_t)r < sizeof(line));
	r = task_stat_parse(line, (size_t)r, &again);
	assert(r == 0 && again.tid == s.tid && again.state == s.state);
	assert(strcmp(again.comm, s.comm) == 0 && again.flags == s.flags);
	assert(again.cpu_ticks == s.cpu_ticks && again.last_cpu == s.last_cpu);
	assert(again.start_ticks == s.start_ticks);
}

static void
check_schedstat(const char *bytes, size_t len)
{
	const struct schedstat before = {1, 2, 3};
	struct schedstat again;
	struct schedstat s = before;
	char line[80];
	int r = schedstat_parse(bytes, len, &s);

	if (r < 0) {
		assert(r == -EINVAL || r == -ENODATA);
		assert(memcmp(&s, &before, sizeof(s)) == 0);
		return;
	}
	r = snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		s.run_ns, s.wait_ns, s.slices);
	r = schedstat_parse(line, (size_t)r, &again);
	assert(r == 0 && memcmp(&s, &again, sizeof(s)) == 0);
}

static void
check_pidfile(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	pid_t pid = -7;

	if (identity_parse_pidfile(bytes, len, &pid) < 0) {
		assert(pid == -7);
		return;
	}
	assert(pid > 0 && strtol(text, NULL, 10) == pid);
	assert(strspn(text, "0123456789") + 1 >= len);
}

static void
check_socket_name(const char *bytes, size_t len)
{
	auto_free char *name = xmemdupz(bytes, len);
	int vmid = sockdir_parse_name(name);
	char again[32];

	assert(vmid == -1 || (vmid >= 100 && vmid <= 999999999));
	(void)snprintf(again, sizeof(again), "%d.qmp", vmid);
	assert(vmid == -1 || strcmp(again, name) == 0);
	(void)kinship_kernel_has_vhosts(name);
}

/* It becomes part of a path. */
static void
on_device(void *arg, const char *name)
{
	(void)arg;
	assert(name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL);
	assert(strlen(name) < VFIO_NAME_MAX);
}

static void
check_command_line(const char *bytes, size_t len)
{
	vfio_each(bytes, len, on_device, NULL);
}

/* Choices out of the bytes; 0 when they are used up. */
struct bytes {
	const char *at;
	size_t left;
};

static unsigned int
take(struct bytes *b)
{
	if (b->left == 0)
		return 0;
	b->left--;
	return (unsigned char)*b->at++;
}

static void
take_name(struct bytes *b, char *comm)
{
	size_t len = take(b) % 24;

	for (size_t i = 0; i < len; i++)
		comm[i] = (char)take(b);
}

/* The rules of threads_classify, said once more. */
static bool
claims_hold(pid_t pid, const struct task_stat *tasks, size_t n_tasks,
	const struct thread_claim *claims, size_t n_claims)
{
	bool main_thread = false;

	for (size_t i = 0; i < n_tasks; i++) {
		main_thread |= tasks[i].tid == pid;
		for (size_t k = 0; k < i; k++)
			if (tasks[k].tid == tasks[i].tid)
				return false;
	}
	for (size_t i = 0; i < n_claims; i++) {
		bool found = false;

		for (size_t k = 0; k < n_tasks; k++)
			found |= tasks[k].tid == claims[i].tid;
		for (size_t k = 0; k < i; k++)
			found &= claims[k].tid != claims[i].tid;
		if (!found || claims[i].tid == pid)
			return false;
	}
	return main_thread;
}

static void
check_thread(const struct vm_thread *t, pid_t pid, const struct thread_claim *claims,
	size_t n_claims)
{
	const struct thread_claim *claim = NULL;

	for (size_t i = 0; i < n_claims; i++) {
		if (claims[i].tid == t->tid)
			claim = &claims[i];
	}
	for (const char *p = t->comm; *p != '\0'; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
	assert((t->class == THREAD_EMULATOR) == (t->tid == pid));
	if (claim != NULL)
		assert(t->class == claim->class && t->index == claim->index);
	else
		assert(t->class != THREAD_VCPU && t->class != THREAD_IOTHREAD &&
			t->index == -1);
}

static void
check_threads(const char *bytes, size_t len)
{
	struct bytes b = {bytes, len};
	struct task_stat tasks[FEW] = {{0}};
	struct thread_claim claims[FEW];
	struct vm_thread out[FEW];
	struct err e = ERR_NONE;
	pid_t pid = (pid_t)take(&b);
	size_t n_tasks = take(&b) % (FEW + 1);
	size_t n_claims = take(&b) % (FEW + 1);
	int r;

	for (size_t i = 0; i < n_tasks; i++) {
		tasks[i].tid = (pid_t)take(&b);
		tasks[i].start_ticks = take(&b);
		take_name(&b, tasks[i].comm);
	}
	for (size_t i = 0; i < n_claims; i++) {
		claims[i].tid = (pid_t)take(&b);
		claims[i].index = (int)take(&b);
		claims[i].class = take(&b) % 2 == 0 ? THREAD_VCPU : THREAD_IOTHREAD;
	}
	r = threads_classify(pid, tasks, n_tasks, claims, n_claims, out, &e);
	assert((r < 0) == err_is_set(&e) && (r == 0 || r == -ESTALE));
	assert((r == 0) == claims_hold(pid, tasks, n_tasks, claims, n_claims));
	for (size_t i = 0; r == 0 && i < n_tasks; i++) {
		assert(i == 0 || out[i - 1].tid < out[i].tid);
		check_thread(&out[i], pid, claims, n_claims);
	}
}

/* Of a status file; the text may stand anywhere in it. */
static void
check_taskmask(const char *bytes, size_t len)
{
	struct cpuset before = cpuset_below(3);
	struct cpuset mask = before;
	struct cpuset again;
	char list[CPUSET_TEXT_MAX];
	auto_free char *text = NULL;
	int r = taskmask_parse(bytes, len, &mask);

	if (r < 0) {
		assert(r == -EINVAL || r == -ERANGE);
		assert(cpuset_equal(&mask, &before));
		return;
	}
	text = xasprintf("Cpus_allowed:\tff\nCpus_allowed_list:\t%s\n",
		cpuset_format(&mask, list, sizeof(list)));
	r = taskmask_parse(text, strlen(text), &again);
	assert(cpuset_empty(&mask) || (r == 0 && cpuset_equal(&mask, &again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {check_stat, check_schedstat, check_pidfile,
		check_socket_name, check_command_line, check_threads, check_taskmask};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}
