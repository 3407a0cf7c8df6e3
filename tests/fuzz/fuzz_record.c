// SPDX-License-Identifier: MIT
/*
 * Records of masks: what is accepted survives being written and read again, and one
 * that is changed stays in order. And what else the daemon notes or its helpers read:
 * the boot's id, mappings of a process.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "act/bootid.h"
#include "act/ramlist.h"
#include "act/record.h"
#include "parts.h"

#define BOOT "3f2a1b4c0000411182220123456789ab"

static void
check_order(const struct record *r)
{
	assert(r->n_threads <= RECORD_THREADS_MAX && r->n_threads <= r->cap_threads);
	for (size_t i = 0; i < r->n_threads; i++) {
		const struct record_thread *t = &r->threads[i];
		const struct record_mask *m = r->masks;

		assert(t->tid > 0 && t->pid >= 0);
		assert(i == 0 || r->threads[i - 1].tid < t->tid);
		while (m != NULL && &m->cpus != t->cpus)
			m = m->next;
		assert(m != NULL);
		assert(t->home == NULL || (t->pid == 0 && !cpuset_empty(t->home)));
		assert(record_find(r, t->tid, t->start_ticks) == t);
	}
	for (const struct record_mask *m = r->masks; m != NULL; m = m->next) {
		size_t i = 0;

		while (i < r->n_threads && r->threads[i].cpus != &m->cpus &&
			r->threads[i].home != &m->cpus)
			i++;
		assert(i < r->n_threads);
	}
}

/* Written, read and written again it is the same. */
static void
check_again(const struct record *r)
{
	auto_free char *text = record_format(r, BOOT);
	auto_free char *twice = NULL;
	struct record again;
	int ret = record_parse(text, strlen(text), BOOT, &again, NULL);

	assert(ret == 0);
	twice = record_format(&again, BOOT);
	assert(strcmp(text, twice) == 0);
	ret = record_parse(text, strlen(text), "0", &again, NULL);
	assert(ret == -ESTALE);
	record_fini(&again);
}

static void
check_record(const char *bytes, size_t len)
{
	struct record before = {.pid = -7};
	struct record r = before;
	struct err e = ERR_NONE;
	int ret = record_parse(bytes, len, BOOT, &r, &e);

	assert((ret < 0) == err_is_set(&e));
	if (ret < 0) {
		assert(memcmp(&r, &before, sizeof(r)) == 0);
		assert(ret == -EINVAL || ret == -E2BIG || ret == -ESTALE);
		return;
	}
	assert(record_id_valid(r.id) && strchr(r.id, '/') == NULL && r.pid > 0);
	check_order(&r);
	check_again(&r);
	record_fini(&r);
}

/* Up to three ascending thread ids. */
static size_t
some_tids(unsigned int bits, pid_t tids[3])
{
	size_t n = 0;

	for (unsigned int i = 0; i < 3; i++) {
		pid_t tid = (pid_t)((bits >> (2 * i) & 3) + 1);

		if (n == 0 || tids[n - 1] < tid)
			tids[n++] = tid;
	}
	return n;
}

/* Each two bytes add a thread or forget some; a vCPU is away, or back. */
static void
check_changes(const char *bytes, size_t len)
{
	struct record r = {.id = "103", .pid = 4711, .start_ticks = 1};

	for (; len >= 2; bytes += 2, len -= 2) {
		unsigned int a = (unsigned char)bytes[0];
		unsigned int b = (unsigned char)bytes[1];
		struct cpuset cpus = cpuset_of(b % 5);
		pid_t pid = (pid_t)(a >> 6);
		pid_t tids[3];
		pid_t *pids = NULL;

		if (b < 128)
			record_add_helper(&r, pid, (pid_t)(a % 7) + 1, b >> 5, &cpus);
		else
			record_retain_helper(&r, pid, tids, some_tids(b, tids));
		if (a % 3 == 0)
			record_set_home(&r, (pid_t)(a % 7) + 1, b >> 5,
				b & 1 ? &cpus : &CPUSET_NONE);
		check_order(&r);
		assert(record_helpers(&r, &pids) <= 3);
		free(pids);
	}
	check_again(&r);
	record_fini(&r);
}

static void
check_mappings(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	auto_free struct ram_range *ranges = NULL;
	ssize_t n = ramlist_parse(text, &ranges);

	assert(n >= 0 || (ranges == NULL && (n == -EINVAL || n == -E2BIG)));
	for (ssize_t i = 0; i < n; i++) {
		assert(ranges[i].start < ranges[i].end);
		assert(ranges[i].end - ranges[i].start >= RAMLIST_BYTES_MIN);
	}
}

static void
check_names(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	char id[BOOTID_MAX] = "x";
	int r = bootid_parse(text, id);

	assert(r == 0 || (r == -EINVAL && strcmp(id, "x") == 0));
	assert(r < 0 || strspn(id, "0123456789abcdef") == BOOTID_MAX - 1);
	if (record_id_valid(text))
		assert(strlen(text) <= 64 && strpbrk(text, "/ \n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {
		check_record, check_changes, check_mappings, check_names};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}
