// SPDX-License-Identifier: MIT
/*
 * CPU lists and maps: whatever is accepted must survive being written and read again,
 * and a refused text must leave the output alone.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "topo/cpuset.h"

static void
check(const char *text, int (*parse)(const char *text, struct cpuset *out))
{
	const struct cpuset mark = cpuset_of(7);
	char buf[CPUSET_TEXT_MAX];
	struct cpuset again;
	struct cpuset set = mark;
	int r;

	if (parse(text, &set) < 0) {
		assert(cpuset_equal(&set, &mark));
		return;
	}
	cpuset_format(&set, buf, sizeof(buf));
	r = cpuset_parse(buf, &again);
	assert(r == 0);
	assert(cpuset_equal(&set, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xmemdupz((const char *)data, size);

	check(text, cpuset_parse);
	check(text, cpuset_parse_map);
	return 0;
}
