// SPDX-License-Identifier: MIT
/*
 * Levels of a host. Nothing is assumed nested: where groups cross, what overlaps is
 * joined.
 */
#include "config.h"

#include "topo/levels.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"
#include "topo/cpuset.h"

/* The groups that may become tiers, from the ones that are usually small to the large.
 */
static const char *const names[LEVELS_OWN] = {"core", "l2", "l3", "node", "package"};

static int
group_of(const struct topo_pu *pu, unsigned int which)
{
	const int groups[LEVELS_OWN] = {
		pu->core, pu->l2, pu->l3, pu->node, pu->package};

	return groups[which];
}

struct raw {
	struct partition p;
	unsigned int n_groups;
	unsigned int n_members; /* PUs that are in one */
};

static struct raw
read_level(const struct topo *t, unsigned int which)
{
	auto_free unsigned int *first = xcalloc(CPUSET_CAP, sizeof(*first));
	struct raw v = {.p = partition_singles(t->n_pus)};
	struct cpuset seen = CPUSET_NONE; /* indices of groups, not CPUs */

	v.p.name = names[which];
	for (unsigned int i = 0; i < t->n_pus; i++) {
		int group = group_of(&t->pus[i], which);

		if (group == TOPO_NONE)
			continue;
		v.n_members++;
		if (cpuset_has(&seen, (unsigned int)group)) {
			partition_join(&v.p, first[group], i);
			continue;
		}
		cpuset_add(&seen, (unsigned int)group);
		first[group] = i;
	}
	v.n_groups = cpuset_count(&seen);
	partition_settle(&v.p);
	return v;
}

struct levels
levels_of_topo(const struct topo *t)
{
	struct levels l = {0};
	struct raw have[LEVELS_OWN] = {0};

	for (unsigned int which = 0; which < LEVELS_OWN; which++) {
		struct raw v = read_level(t, which);
		unsigned int at = l.n;

		if (v.n_groups == 0) {
			partition_fini(&v.p);
			continue;
		}
		/* smaller groups first; the usual order where they are of one size */
		while (at > 0 && v.n_members * have[at - 1].n_groups <
					 have[at - 1].n_members * v.n_groups) {
			have[at] = have[at - 1];
			at--;
		}
		have[at] = v;
		l.n++;
	}
	for (unsigned int k = 0; k < l.n; k++)
		l.at[k] = have[k].p;
	return l;
}

bool
levels_kinds(const struct topo *t, struct partition *out)
{
	struct partition p = partition_singles(t->n_pus);
	enum topo_kind kind = t->pus[0].kind;
	unsigned int other = 0;
	bool known = true;

	for (unsigned int i = 0; i < t->n_pus; i++) {
		bool same = t->pus[i].kind == kind;

		known &= t->pus[i].kind != TOPO_KIND_UNKNOWN;
		if (!same && other == 0)
			other = i;
		partition_join(&p, i, same ? 0 : other);
	}
	partition_settle(&p);
	if (!known || other == 0) {
		partition_fini(&p);
		return false;
	}
	*out = p;
	return true;
}

struct levels
levels_nest(const struct levels *l, unsigned int n_pus)
{
	struct levels out = {.n = 1, .at[0] = partition_singles(n_pus)};

	for (unsigned int k = 0; k < l->n; k++) {
		struct partition *last = &out.at[out.n - 1];
		struct partition p = partition_copy(last);

		p.name = l->at[k].name;
		p.tag = l->at[k].tag;
		partition_join_all(&p, &l->at[k]);
		if (p.n_blocks > 1 && p.n_blocks < last->n_blocks)
			out.at[out.n++] = p;
		else
			partition_fini(&p);
	}
	out.at[out.n] = partition_whole(n_pus);
	out.at[out.n++].name = "host";
	return out;
}

void
levels_fini(struct levels *l)
{
	for (unsigned int k = 0; k < l->n; k++)
		partition_fini(&l->at[k]);
	l->n = 0;
}

void
levels_insert(struct levels *l, struct partition p)
{
	unsigned int at = l->n;

	assert(l->n + 2 < LEVELS_MAX); /* and those that levels_nest adds */
	for (; at > 0 && l->at[at - 1].n_blocks < p.n_blocks; at--)
		l->at[at] = l->at[at - 1];
	l->at[at] = p;
	l->n++;
}

void
levels_remove(struct levels *l, unsigned int k)
{
	partition_fini(&l->at[k]);
	l->n--;
	memmove(&l->at[k], &l->at[k + 1], (l->n - k) * sizeof(*l->at));
}
