// SPDX-License-Identifier: MIT
/* Sets that nest. There are few: each is a joint of the tree of an earlier run. */
#include "config.h"

#include "place/unions.h"

#include <stdlib.h>

#include "base/xalloc.h"

static bool
nests(const struct cpuset *a, const struct cpuset *b)
{
	return !cpuset_overlap(a, b) || cpuset_within(a, b) || cpuset_within(b, a);
}

void
unions_add(struct unions *u, const struct cpuset *set)
{
	for (unsigned int i = 0; i < u->n; i++) {
		if (cpuset_equal(&u->sets[i], set) || !nests(&u->sets[i], set))
			return;
	}
	u->sets = xgrow(u->sets, u->n, &u->cap, sizeof(*u->sets));
	u->sets[u->n++] = *set;
}

void
unions_close(const struct unions *u, struct cpuset *set)
{
	bool again = true;

	while (again) {
		again = false;
		for (unsigned int i = 0; i < u->n; i++) {
			if (nests(&u->sets[i], set))
				continue;
			*set = cpuset_or(set, &u->sets[i]);
			again = true;
		}
	}
}

/* It is made up of at least two whole parts, and there are others. */
static bool
is_of_parts(const struct cpuset *set, const struct cpuset *const *parts, unsigned int n)
{
	struct cpuset rest = *set;
	unsigned int whole = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!cpuset_within(parts[i], set))
			continue;
		rest = cpuset_minus(&rest, parts[i]);
		whole++;
	}
	return cpuset_empty(&rest) && whole > 1 && whole < n;
}

unsigned int
unions_of_parts(const struct unions *u, const struct cpuset *const *parts,
	unsigned int n, const struct cpuset **out)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < u->n; i++) {
		if (is_of_parts(&u->sets[i], parts, n))
			out[found++] = &u->sets[i];
	}
	return found;
}

const struct cpuset *
unions_around(
	const struct cpuset *const *sets, unsigned int n, const struct cpuset *part)
{
	const struct cpuset *best = NULL;

	for (unsigned int i = 0; i < n; i++) {
		if (cpuset_within(part, sets[i]) && !cpuset_equal(part, sets[i]) &&
			(best == NULL || cpuset_within(sets[i], best)))
			best = sets[i];
	}
	return best;
}

void
unions_fini(struct unions *u)
{
	free(u->sets);
	*u = (struct unions){0};
}
