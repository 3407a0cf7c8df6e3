// SPDX-License-Identifier: MIT
/* CPU lists and texts, compared with what a test wants. Include it behind cmocka.h. */
#ifndef QMPIN_TESTS_EXPECT_H
#define QMPIN_TESTS_EXPECT_H

#include <string.h>

#include "topo/cpuset.h"

/* Of a list that is right. */
static inline struct cpuset
cpus(const char *list)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(list, &s), 0);
	return s;
}

static inline void
expect_cpus(const struct cpuset *got, const char *wanted, const char *what)
{
	struct cpuset s = cpus(wanted);
	char text[CPUSET_TEXT_MAX];

	if (!cpuset_equal(got, &s))
		fail_msg("%s: %s, not %s", what, cpuset_format(got, text, sizeof(text)),
			wanted);
}

static inline void
expect_text(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

#endif
