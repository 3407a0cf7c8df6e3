// SPDX-License-Identifier: MIT
/* How many random cases a test tries: as many as the environment wants. */
#ifndef QMPIN_TESTS_CASES_H
#define QMPIN_TESTS_CASES_H

#include <stdlib.h>

/* With QMPIN_QUICK: another build has tried all of them. */
#define CASES_QUICK 8u

/* A number from the environment. */
static inline unsigned long
cases_number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static inline unsigned long
cases_of(unsigned long usual)
{
	if (getenv("QMPIN_QUICK") != NULL)
		usual = (usual + CASES_QUICK - 1) / CASES_QUICK;
	return cases_number("QMPIN_CASES", usual);
}

/* Of @n that there are. */
static inline unsigned long
cases_of_all(unsigned long n)
{
	unsigned long some = cases_of(n);

	return some < n ? some : n;
}

#endif
