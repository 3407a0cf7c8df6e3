// SPDX-License-Identifier: MIT
/* A record of a VM, and what it is as text. Include it behind cmocka.h. */
#ifndef QMPIN_TESTS_RECORD103_H
#define QMPIN_TESTS_RECORD103_H

#include "act/record.h"
#include "base/attr.h"
#include "expect.h"

#define RECORD103_BOOT "3f2a1b4c0000411182220123456789ab"

#define RECORD103_TEXT                                                    \
	"{\"version\":1,\"id\":\"103\",\"pid\":4711,\"start_ticks\":123," \
	"\"boot_id\":\"" RECORD103_BOOT                                   \
	"\",\"placed\":true,\"limit\":\"0-15\",\"threads\":["             \
	"{\"tid\":4711,\"start_ticks\":123,\"cpus\":\"0-15\"},"           \
	"{\"tid\":4714,\"start_ticks\":125,\"cpus\":\"2,4-7\"}]}"

static inline bool
record103_add(struct record *r, pid_t tid, uint64_t start_ticks, const char *list)
{
	struct cpuset set = cpus(list);

	return record_add(r, tid, start_ticks, &set);
}

static inline struct record
record103_new(void)
{
	struct record r = {
		.id = "103", .pid = 4711, .start_ticks = 123, .placed = true};

	r.limit = cpus("0-15");
	record103_add(&r, 4714, 125, "2,4-7");
	record103_add(&r, 4711, 123, "0-15");
	return r;
}

static inline void
record103_expect(const struct record *r)
{
	auto_free char *text = record_format(r, RECORD103_BOOT);

	assert_string_equal(text, RECORD103_TEXT);
}

#endif
