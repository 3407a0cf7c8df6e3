// SPDX-License-Identifier: MIT
/* Names and sums of the objective's terms. */
#include "config.h"

#include "place/objective.h"

#include <assert.h>

static const char *const names[N_TERMS] = {
	[TERM_WAITING] = "waiting",
	[TERM_MEMORY] = "memory",
	[TERM_COMMUNICATION] = "communication",
	[TERM_SMT] = "smt",
	[TERM_PCI] = "pci",
	[TERM_FRAGMENTATION] = "fragmentation",
	[TERM_MOVING] = "moving",
};

double
terms_sum(const struct terms *t)
{
	double sum = 0;

	for (unsigned int i = 0; i < N_TERMS; i++)
		sum += t->ns[i];
	return sum;
}

const char *
term_name(enum term t)
{
	assert((unsigned int)t < N_TERMS);
	return names[t];
}
