// SPDX-License-Identifier: MIT
/*
 * What most blocks of a partition look like is how the others look: hosts are built and
 * numbered regularly. For partitions made from values some of which are wrong or
 * missing.
 */
#include "config.h"

#include "topo/regular.h"

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "topo/spread.h"

/* Members in blocks of one look that make it a rule, and that make it the rule for
 * whoever is left without further signs. */
#define REGULAR_MIN 0.5f
#define REGULAR_MOST 0.8f
#define PATTERNS_TRIED 8u

/* Further signs: nearer than the usual pair by this. */
#define NEARER_MAX 0.8f

/* So many pairs for each member of a block tell what is usual. */
#define MANY 4u

/* Blocks that what is left over is compared with have at least so many members: two
 * threads of a core say nothing about cores of one. */
#define LEFT_BLOCK_MIN 4u

/* What most blocks look like: their members, counted from the lowest. */
struct pattern {
	unsigned int n;
	unsigned int *offsets;
	float share; /* of all members that are in such a block */
};

/* The block of @head has its members where the pattern has them. */
static bool
matches(const struct partition *p, const unsigned int *sizes, unsigned int head,
	const struct pattern *q)
{
	if (sizes[head] != q->n)
		return false;
	for (unsigned int k = 0; k < q->n; k++) {
		unsigned int i = head + q->offsets[k];

		if (i >= p->n || p->head[i] != head)
			return false;
	}
	return true;
}

static void
read_pattern(const struct partition *p, unsigned int head, struct pattern *q)
{
	q->n = 0;
	for (unsigned int i = head; i < p->n; i++) {
		if (p->head[i] == head)
			q->offsets[q->n++] = i - head;
	}
}

/* The pattern that most members follow, of blocks that are new at this step. Tried for
 * the first ones only: where those say nothing, nothing is the rule. Free q->offsets.
 */
static struct pattern
find_pattern(const struct partition *p, const struct partition *finer,
	const unsigned int *sizes)
{
	auto_free unsigned int *before = xcalloc(p->n, sizeof(*before));
	struct pattern best = {0};
	unsigned int tried = 0;

	partition_sizes(finer, before);
	for (unsigned int h = 0; h < p->n && tried < PATTERNS_TRIED; h++) {
		struct pattern q = {.offsets = NULL};
		unsigned int members = 0;

		if (p->head[h] != h || sizes[h] == before[h])
			continue;
		tried++;
		q.offsets = xcalloc(sizes[h], sizeof(*q.offsets));
		read_pattern(p, h, &q);
		for (unsigned int i = 0; i < p->n; i++) {
			if (p->head[i] == i && matches(p, sizes, i, &q))
				members += q.n;
		}
		q.share = (float)members / (float)p->n;
		if (q.share > best.share) {
			free(best.offsets);
			best = q;
		} else {
			free(q.offsets);
		}
	}
	return best;
}

/* What a member sees of the others in its block @around, or of all where there are not
 * many in that. */
static float
typical_ns(const struct lat_view *lat, const struct partition *around, unsigned int i,
	unsigned int many)
{
	struct spread near = {0};
	struct spread all = {0};

	for (unsigned int k = 0; k < around->n; k++) {
		float ns = lat_ns(lat, i, k);

		if (!(ns > 0))
			continue;
		spread_add(&all, ns);
		if (around->head[k] == around->head[i])
			spread_add(&near, ns);
	}
	return spread_quantile(near.n >= many ? &near : &all, 0.5f);
}

struct mending {
	const struct lat_view *lat;
	const struct partition *around;
	struct pattern pattern;
	bool *done; /* of each member: in a block that follows the pattern */
};

/* The members at the pattern's places from @first are free and together in a block
 * around. */
static bool
is_free(const struct mending *m, unsigned int first)
{
	for (unsigned int k = 0; k < m->pattern.n; k++) {
		unsigned int i = first + m->pattern.offsets[k];

		if (i >= m->around->n || m->done[i] ||
			m->around->head[i] != m->around->head[first])
			return false;
	}
	return true;
}

/* The farthest that is known of the pairs with @first; 0: none is. */
static float
farthest_ns(const struct mending *m, unsigned int first)
{
	float ns = 0;

	for (unsigned int k = 1; k < m->pattern.n; k++)
		ns = fmaxf(ns, lat_ns(m->lat, first, first + m->pattern.offsets[k]));
	return ns;
}

/* How much of the rule the members follow of which anything is known. */
static float
measure_rule(const struct mending *m)
{
	unsigned int n = 0;
	unsigned int known = 0;

	for (unsigned int i = 0; i < m->around->n; i++) {
		if (!m->done[i] && is_free(m, i) && farthest_ns(m, i) <= 0)
			continue;
		n += m->done[i] ? 1 : 0;
		known++;
	}
	return known > 0 ? (float)n / (float)known : 0;
}

/* What there could be another block of. Where the rule is not so clear, it also has to
 * be nearer than what is usual. */
static bool
fits(const struct mending *m, unsigned int first)
{
	if (!is_free(m, first))
		return false;
	return m->pattern.share >= REGULAR_MOST ||
	       farthest_ns(m, first) <= NEARER_MAX * typical_ns(m->lat, m->around,
							     first,
							     MANY * m->pattern.n);
}

static void
join_pattern(struct mending *m, struct partition *p, unsigned int first)
{
	for (unsigned int k = 0; k < m->pattern.n; k++) {
		m->done[first + m->pattern.offsets[k]] = true;
		partition_join(p, first, first + m->pattern.offsets[k]);
	}
}

/* The blocks of @p that follow the pattern. */
static void
take_regular(struct mending *m, struct partition *new, const struct partition *p)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));

	partition_sizes(p, sizes);
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->head[i] == i && !m->done[i] && matches(p, sizes, i, &m->pattern))
			join_pattern(m, new, i);
	}
}

/* Twice: what was found in the first round may make the rule clear. */
static void
add_regular(struct mending *m, struct partition *new)
{
	for (int round = 0; round < 2; round++) {
		m->pattern.share = measure_rule(m);
		for (unsigned int i = 0; i < new->n; i++) {
			if (fits(m, i))
				join_pattern(m, new, i);
		}
	}
}

/* Blocks none of whose members were used otherwise stay as they were. */
static void
keep_others(const struct mending *m, struct partition *new, const struct partition *p)
{
	auto_free bool *used = xcalloc(p->n, sizeof(*used));

	for (unsigned int i = 0; i < p->n; i++)
		used[p->head[i]] |= m->done[i];
	for (unsigned int i = 0; i < p->n; i++) {
		if (!used[p->head[i]])
			partition_join(new, i, p->head[i]);
	}
}

/*
 * Where most blocks look the same, members that are left and would make another such
 * block are one: a wrong value or a missing one has parted it. Hosts are numbered
 * regularly.
 */
void
regular_mend(struct partition *p, const struct partition *finer,
	const struct partition *around, const struct lat_view *lat)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));
	auto_free bool *done = xcalloc(p->n, sizeof(*done));
	struct mending m = {.lat = lat, .around = around, .done = done};
	struct partition new;

	partition_part(p, around);
	partition_sizes(p, sizes);
	m.pattern = find_pattern(p, finer, sizes);
	if (m.pattern.share >= REGULAR_MIN && m.pattern.share < 1) {
		new = partition_singles(p->n);
		take_regular(&m, &new, p);
		take_regular(&m, &new, finer);
		add_regular(&m, &new);
		keep_others(&m, &new, p);
		keep_others(&m, &new, finer);
		partition_settle(&new);
		partition_fini(p);
		*p = new;
	}
	free(m.pattern.offsets);
}

/*
 * What a step leaves over in a block @around is a block like the others when it is
 * about as large: told apart by being near to none of them.
 */
void
regular_join_left(struct partition *p, const struct partition *finer,
	const struct partition *around)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));
	auto_free unsigned int *before = xcalloc(p->n, sizeof(*before));
	auto_free unsigned int *left = xcalloc(p->n, sizeof(*left));
	auto_free unsigned int *grown = xcalloc(p->n, sizeof(*grown));
	auto_free unsigned int *n_grown = xcalloc(p->n, sizeof(*n_grown));

	partition_sizes(p, sizes);
	partition_sizes(finer, before);
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int at = around->head[i];

		if (sizes[p->head[i]] == before[finer->head[i]])
			left[at]++;
		else
			grown[at]++;
		if (p->head[i] == i && sizes[i] != before[i])
			n_grown[at]++;
	}
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int at = around->head[i];

		if (n_grown[at] == 0 || grown[at] < LEFT_BLOCK_MIN * n_grown[at] ||
			left[at] * n_grown[at] * 2 < grown[at] ||
			left[at] * n_grown[at] > grown[at] * 2 ||
			sizes[p->head[i]] != before[finer->head[i]])
			continue;
		for (unsigned int k = at; k < i; k++) {
			if (around->head[k] == at &&
				sizes[p->head[k]] == before[finer->head[k]])
				partition_join(p, i, k);
		}
	}
	partition_settle(p);
}
