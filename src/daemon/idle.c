// SPDX-License-Identifier: MIT
/*
 * Two looks: on which CPUs little is expected when the kernel balances well; and then
 * what is left of those in the worst case, when each thread that may run on one of them
 * does. Only what is idle in both counts.
 */
#include "config.h"

#include "daemon/idle.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct idle
idle_new(void)
{
	struct idle i = {0};

	i.always = xcalloc(CPUSET_CAP, sizeof(*i.always));
	i.expected = xcalloc(CPUSET_CAP, sizeof(*i.expected));
	return i;
}

void
idle_fini(struct idle *i)
{
	free(i->always);
	free(i->expected);
	free(i->uses);
	*i = (struct idle){0};
}

/* The use with this mask; mostly the last one. */
static struct idle_use *
find_use(struct idle *i, const struct cpuset *cpus)
{
	for (size_t k = i->n; k-- > 0;) {
		if (cpuset_equal(&i->uses[k].cpus, cpus))
			return &i->uses[k];
	}
	i->uses = xgrow(i->uses, i->n, &i->cap, sizeof(*i->uses));
	i->uses[i->n] = (struct idle_use){.cpus = *cpus};
	return &i->uses[i->n++];
}

void
idle_add(struct idle *i, const struct cpuset *cpus, double busy)
{
	unsigned int n = cpuset_count(cpus);

	if (!(busy > 0)) /* also not a number */
		return;
	if (n == 1)
		idle_add_background(i, cpuset_next(cpus, 0), busy);
	else
		find_use(i, cpus)->busy += busy;
}

void
idle_add_background(struct idle *i, unsigned int cpu, double busy)
{
	if (busy > 0)
		i->always[cpu] += busy;
}

void
idle_settle(struct idle *i)
{
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		i->expected[cpu] = i->always[cpu];
	for (size_t k = 0; k < i->n; k++) {
		const struct idle_use *use = &i->uses[k];
		double each = use->busy / cpuset_count(&use->cpus);

		cpuset_foreach (cpu, &use->cpus)
			i->expected[cpu] += each;
	}
}

/* What is left of @cpus in the worst case. */
static double
left_of(const struct idle *i, const struct cpuset *cpus)
{
	double left = 0;

	cpuset_foreach (cpu, cpus)
		left += i->always[cpu] < 1 ? 1 - i->always[cpu] : 0;
	for (size_t k = 0; k < i->n; k++) {
		if (cpuset_overlap(&i->uses[k].cpus, cpus))
			left -= i->uses[k].busy;
	}
	return left;
}

bool
idle_find(const struct idle *i, const struct cpuset *where, struct cpuset *out)
{
	struct cpuset idle = CPUSET_NONE;

	cpuset_foreach (cpu, where) {
		if (i->expected[cpu] <= IDLE_BUSY_MAX)
			cpuset_add(&idle, cpu);
	}
	if (cpuset_empty(&idle) || left_of(i, &idle) < IDLE_LEFT_MIN)
		return false;
	*out = idle;
	return true;
}
