// SPDX-License-Identifier: MIT
/*
 * Partitions as union-find forests. The lowest member is always the root, so the same
 * blocks give the same numbers whatever the order they were made in.
 */
#include "config.h"

#include "topo/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct partition
partition_singles(unsigned int n)
{
	struct partition p = {.n = n, .n_blocks = n};

	p.head = xcalloc(n, sizeof(*p.head));
	for (unsigned int i = 0; i < n; i++)
		p.head[i] = i;
	return p;
}

struct partition
partition_whole(unsigned int n)
{
	struct partition p = {.n = n, .n_blocks = 1};

	p.head = xcalloc(n, sizeof(*p.head));
	return p;
}

struct partition
partition_copy(const struct partition *p)
{
	struct partition copy = *p;

	copy.head = xcalloc(p->n, sizeof(*copy.head));
	memcpy(copy.head, p->head, p->n * sizeof(*copy.head));
	return copy;
}

void
partition_fini(struct partition *p)
{
	free(p->head);
	*p = (struct partition){0};
}

unsigned int
partition_head(struct partition *p, unsigned int i)
{
	unsigned int *head = p->head;

	while (head[i] != i) {
		head[i] = head[head[i]];
		i = head[i];
	}
	return i;
}

void
partition_join(struct partition *p, unsigned int a, unsigned int b)
{
	a = partition_head(p, a);
	b = partition_head(p, b);
	if (a < b)
		p->head[b] = a;
	else
		p->head[a] = b;
}

void
partition_settle(struct partition *p)
{
	p->n_blocks = 0;
	for (unsigned int i = 0; i < p->n; i++) {
		p->head[i] = partition_head(p, i);
		p->n_blocks += p->head[i] == i ? 1 : 0;
	}
}

void
partition_join_all(struct partition *p, const struct partition *q)
{
	for (unsigned int i = 0; i < p->n; i++)
		partition_join(p, i, q->head[i]);
	partition_settle(p);
}

void
partition_part(struct partition *p, const struct partition *q)
{
	struct partition new = partition_singles(p->n);

	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int k = p->head[i];

		/* the first one that is with it in both */
		while (p->head[k] != p->head[i] || q->head[k] != q->head[i])
			k++;
		partition_join(&new, k, i);
	}
	partition_settle(&new);
	free(p->head);
	p->head = new.head;
	p->n_blocks = new.n_blocks;
}

void
partition_sizes(const struct partition *p, unsigned int *out)
{
	memset(out, 0, p->n * sizeof(*out));
	for (unsigned int i = 0; i < p->n; i++)
		out[p->head[i]]++;
}

void
partition_mark_same(const struct partition *p, const struct partition *q, bool *same)
{
	auto_free unsigned int *in_p = xcalloc(p->n, sizeof(*in_p));
	auto_free unsigned int *in_q = xcalloc(p->n, sizeof(*in_q));
	auto_free unsigned int *both = xcalloc(p->n, sizeof(*both));

	partition_sizes(p, in_p);
	partition_sizes(q, in_q);
	/* equal blocks have one head */
	for (unsigned int i = 0; i < p->n; i++)
		both[p->head[i]] += p->head[i] == q->head[i] ? 1 : 0;
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int h = p->head[i];

		same[i] |= both[h] == in_p[h] && in_p[h] == in_q[h];
	}
}

bool
partition_within(const struct partition *p, const struct partition *q)
{
	for (unsigned int i = 0; i < p->n; i++) {
		if (q->head[i] != q->head[p->head[i]])
			return false;
	}
	return true;
}
