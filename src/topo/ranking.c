// SPDX-License-Identifier: MIT
/*
 * Tiers of a host: partitions of its CPUs from near to far, each made by joining blocks
 * of the one before, so that they nest whatever the host's groups do. Pure.
 */
#include "config.h"

#include "topo/ranking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* The groups that may become tiers, from the ones that are usually small to the large.
 */
static const char *const level_names[] = {"core", "l2", "l3", "node", "package"};

#define N_LEVELS ARRAY_LEN(level_names)

struct level {
	unsigned int which; /* index into level_names */
	unsigned int n_groups;
	unsigned int n_members; /* PUs that are in one */
};

/* A partition of the PUs. @head: for each PU the lowest one of its block. */
struct partition {
	const char *name;
	unsigned int n_blocks;
	unsigned int *head;
};

/* From single PUs to the whole host; a host has at most one for each level between. */
struct partitions {
	unsigned int n;
	struct partition at[N_LEVELS + 2];
};

static int
group_of(const struct topo_pu *pu, unsigned int which)
{
	const int groups[N_LEVELS] = {pu->core, pu->l2, pu->l3, pu->node, pu->package};

	return groups[which];
}

/* Smaller groups first; the usual order where they are of one size. */
static int
by_size(const void *a, const void *b)
{
	const struct level *x = a;
	const struct level *y = b;
	unsigned int size_x = x->n_members * y->n_groups;
	unsigned int size_y = y->n_members * x->n_groups;

	if (size_x != size_y)
		return size_x < size_y ? -1 : 1;
	return x->which < y->which ? -1 : x->which > y->which;
}

/* The levels this host has, in the order in which they are joined. Returns how many. */
static unsigned int
find_levels(const struct topo *t, struct level *levels)
{
	unsigned int n = 0;

	for (unsigned int which = 0; which < N_LEVELS; which++) {
		struct level v = {.which = which};
		struct cpuset seen = CPUSET_NONE; /* indices of groups, not CPUs */

		for (unsigned int i = 0; i < t->n_pus; i++) {
			int group = group_of(&t->pus[i], which);

			if (group == TOPO_NONE)
				continue;
			cpuset_add(&seen, (unsigned int)group);
			v.n_members++;
		}
		v.n_groups = cpuset_count(&seen);
		if (v.n_groups > 0)
			levels[n++] = v;
	}
	qsort(levels, n, sizeof(*levels), by_size);
	return n;
}

static unsigned int
find_head(unsigned int *head, unsigned int i)
{
	while (head[i] != i) {
		head[i] = head[head[i]];
		i = head[i];
	}
	return i;
}

static void
join(unsigned int *head, unsigned int a, unsigned int b)
{
	a = find_head(head, a);
	b = find_head(head, b);
	if (a < b)
		head[b] = a;
	else
		head[a] = b;
}

/* Make @p, a copy of the partition before, coarser by the groups of @level. */
static void
join_level(struct partition *p, const struct topo *t, const struct level *level)
{
	auto_free unsigned int *first = xcalloc(CPUSET_CAP, sizeof(*first));
	struct cpuset seen = CPUSET_NONE;

	p->name = level_names[level->which];
	for (unsigned int i = 0; i < t->n_pus; i++) {
		int group = group_of(&t->pus[i], level->which);

		if (group == TOPO_NONE)
			continue;
		if (cpuset_has(&seen, (unsigned int)group)) {
			join(p->head, first[group], i);
		} else {
			cpuset_add(&seen, (unsigned int)group);
			first[group] = i;
		}
	}
	p->n_blocks = 0;
	for (unsigned int i = 0; i < t->n_pus; i++) {
		p->head[i] = find_head(p->head, i);
		p->n_blocks += p->head[i] == i ? 1 : 0;
	}
}

static struct partition *
push_copy(struct partitions *ps, const struct topo *t)
{
	struct partition *p = &ps->at[ps->n];

	p->head = xcalloc(t->n_pus, sizeof(*p->head));
	if (ps->n > 0)
		memcpy(p->head, ps->at[ps->n - 1].head, t->n_pus * sizeof(*p->head));
	ps->n++;
	return p;
}

/* The single PUs, each level that adds something, the whole host. */
static void
find_partitions(struct partitions *ps, const struct topo *t)
{
	struct level levels[N_LEVELS];
	unsigned int n = find_levels(t, levels);
	struct partition *p = push_copy(ps, t);

	p->n_blocks = t->n_pus;
	for (unsigned int i = 0; i < t->n_pus; i++)
		p->head[i] = i;
	for (unsigned int i = 0; i < n; i++) {
		p = push_copy(ps, t);
		join_level(p, t, &levels[i]);
		if (p->n_blocks > 1 && p->n_blocks < p[-1].n_blocks)
			continue;
		free(p->head);
		ps->n--;
	}
	p = push_copy(ps, t);
	p->name = "host";
	p->n_blocks = 1;
	memset(p->head, 0, t->n_pus * sizeof(*p->head));
}

static void
swap(float *a, float *b)
{
	float v = *a;

	*a = *b;
	*b = v;
}

/* The k-th smallest of @n values (k < n), which are reordered. Partitions in three so
 * that equal values, the rule in a class model, cost one pass. */
static float
select_kth(float *v, size_t n, size_t k)
{
	size_t low = 0;
	size_t high = n;

	for (;;) {
		float pivot = v[low + (high - low) / 2];
		size_t lt = low;  /* [low, lt) below the pivot */
		size_t gt = high; /* [gt, high) above it */

		for (size_t i = low; i < gt;) {
			if (v[i] < pivot)
				swap(&v[i++], &v[lt++]);
			else if (v[i] > pivot)
				swap(&v[i], &v[--gt]);
			else
				i++;
		}
		if (k < lt)
			high = lt;
		else if (k >= gt)
			low = gt;
		else
			return pivot;
	}
}

/* Median latency of the pairs that are in one block of @p but not of the one before; of
 * an even number the lower middle. */
static float
new_pairs_median(const struct partition *p, const struct lat_view *lat)
{
	const struct partition *before = p - 1;
	auto_free float *values = NULL;
	size_t cap = 0;
	size_t n = 0;

	for (unsigned int a = 0; a < lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (p->head[a] != p->head[b] ||
				before->head[a] == before->head[b])
				continue;
			values = xgrow(values, n, &cap, sizeof(*values));
			values[n++] = lat_ns(lat, a, b);
		}
	}
	return n > 0 ? select_kth(values, n, (n - 1) / 2) : 0.0f;
}

static void
add_tier(struct ranking *r, const struct partition *p, const struct topo *t)
{
	struct tier *tier = &r->tiers[r->n_tiers];
	int *domain_of = &r->domain_of[r->n_tiers * CPUSET_CAP];

	tier->name = p->name;
	tier->confidence = 1.0f;
	tier->first_domain = r->n_domains;
	tier->n_domains = p->n_blocks;
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		domain_of[cpu] = -1;
	for (unsigned int i = 0; i < t->n_pus; i++) {
		unsigned int cpu = t->pus[i].cpu;

		/* the head is the lowest: it has its number already */
		domain_of[cpu] = p->head[i] == i ? (int)r->n_domains++
						 : domain_of[t->pus[p->head[i]].cpu];
		cpuset_add(&r->domains[domain_of[cpu]].cpus, cpu);
	}
	r->n_tiers++;
}

static void
finish_domains(struct ranking *r, const struct topo *t)
{
	for (unsigned int k = 0; k < r->n_tiers; k++) {
		for (unsigned int i = 0; i < r->tiers[k].n_domains; i++) {
			struct domain *d = &r->domains[r->tiers[k].first_domain + i];

			d->n_cpus = cpuset_count(&d->cpus);
			d->n_cores = topo_count_cores(t, &d->cpus);
			d->parent = -1;
			if (k + 1 < r->n_tiers)
				d->parent = r->domain_of[(k + 1) * CPUSET_CAP +
							 cpuset_next(&d->cpus, 0)];
		}
	}
}

struct ranking *
ranking_from_topo(const struct topo *t, const struct lat_view *lat)
{
	struct ranking *r = xcalloc(1, sizeof(*r));
	struct partitions ps = {0};
	unsigned int n_domains = 0;

	assert(lat->n == t->n_pus);
	find_partitions(&ps, t);
	for (unsigned int k = 1; k < ps.n; k++)
		n_domains += ps.at[k].n_blocks;
	r->tiers = xcalloc(ps.n - 1, sizeof(*r->tiers));
	r->domains = xcalloc(n_domains, sizeof(*r->domains));
	r->domain_of = xcalloc((size_t)(ps.n - 1) * CPUSET_CAP, sizeof(*r->domain_of));
	for (unsigned int k = 1; k < ps.n; k++) {
		add_tier(r, &ps.at[k], t);
		r->tiers[k - 1].latency_ns = new_pairs_median(&ps.at[k], lat);
	}
	finish_domains(r, t);
	for (unsigned int k = 0; k < ps.n; k++)
		free(ps.at[k].head);
	return r;
}

void
ranking_free(struct ranking *r)
{
	if (r == NULL)
		return;
	free(r->tiers);
	free(r->domains);
	free(r->domain_of);
	free(r);
}

int
ranking_tier_named(const struct ranking *r, const char *name)
{
	for (unsigned int k = 0; k < r->n_tiers; k++) {
		if (strcmp(r->tiers[k].name, name) == 0)
			return (int)k;
	}
	return -1;
}

unsigned int
ranking_domain_of(const struct ranking *r, unsigned int tier, unsigned int cpu)
{
	int domain;

	assert(tier < r->n_tiers && cpu < CPUSET_CAP);
	domain = r->domain_of[tier * CPUSET_CAP + cpu];
	assert(domain >= 0);
	return (unsigned int)domain;
}
