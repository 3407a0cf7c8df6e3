// SPDX-License-Identifier: MIT
/*
 * Rows to cores to groups to blocks. The blocks between groups come first, as a lower
 * triangle with its diagonal, then the siblings of each group: so the block of a pair
 * is found without a table.
 */
#include "config.h"

#include "probe/blocks.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "probe/belief.h"

/* How finely CPUs are told apart. */
enum grain { GRAIN_L2, GRAIN_L3, GRAIN_NODE, GRAIN_KIND };

/* Pairs a block is known by where they agree: enough for a median that one bad pair
 * does not move, and where it is large each member is in one. */
#define WANTED_MIN 3u

static void
build_cores(struct blocks *b, const struct topo *t)
{
	unsigned int *core_of = xcalloc(t->n_cores, sizeof(*core_of));
	uint32_t first = 0;

	b->cores = xcalloc(b->n_rows, sizeof(*b->cores));
	b->core_rows = xcalloc(b->n_rows, sizeof(*b->core_rows));
	for (unsigned int row = 0; row < b->n_rows; row++) {
		unsigned int *core = &core_of[topo_pu_of(t, b->cpus[row])->core];

		if (*core == 0)
			*core = ++b->n_cores;
		b->rows[row].core = (uint16_t)(*core - 1);
		b->cores[*core - 1].n++;
	}
	for (unsigned int core = 0; core < b->n_cores; core++) {
		b->cores[core].first = first;
		first += b->cores[core].n;
		if (b->cores[core].n > b->max_threads)
			b->max_threads = b->cores[core].n;
	}
	for (unsigned int row = 0; row < b->n_rows; row++) {
		struct blocks_core *core = &b->cores[b->rows[row].core];

		b->core_rows[core->first + core->n_left++] = (uint16_t)row;
	}
	free(core_of);
}

/* Which L2 groups are of several cores: only those tell CPUs apart. */
static bool *
wide_l2s(const struct topo *t)
{
	bool *wide = xcalloc(t->n_l2, sizeof(*wide));

	for (unsigned int i = 0; i < t->n_l2; i++)
		wide[i] = topo_count_cores(t, &t->l2[i].cpus) > 1;
	return wide;
}

static bool
alike(const struct topo_pu *x, const struct topo_pu *y, const bool *wide,
	enum grain grain)
{
	int l2_x = x->l2 >= 0 && wide[x->l2] ? x->l2 : TOPO_NONE;
	int l2_y = y->l2 >= 0 && wide[y->l2] ? y->l2 : TOPO_NONE;

	if (x->kind != y->kind)
		return false;
	if (grain <= GRAIN_NODE && (x->node != y->node || x->package != y->package))
		return false;
	if (grain <= GRAIN_L3 && x->l3 != y->l3)
		return false;
	return grain > GRAIN_L2 || l2_x == l2_y;
}

static const struct topo_pu *
pu_of_core(const struct blocks *b, const struct topo *t, unsigned int core)
{
	return topo_pu_of(t, b->cpus[b->core_rows[b->cores[core].first]]);
}

/* Gives each core its group; false when there are too many. */
static bool
group_cores(struct blocks *b, const struct topo *t, const bool *wide, enum grain grain,
	uint16_t *group_of)
{
	uint16_t first[BLOCKS_GROUPS_MAX] = {0};

	b->n_groups = 0;
	for (unsigned int core = 0; core < b->n_cores; core++) {
		const struct topo_pu *pu = pu_of_core(b, t, core);
		unsigned int g = 0;

		while (g < b->n_groups &&
			!alike(pu, pu_of_core(b, t, first[g]), wide, grain))
			g++;
		if (g == BLOCKS_GROUPS_MAX)
			return false;
		if (g == b->n_groups)
			first[b->n_groups++] = (uint16_t)core;
		group_of[core] = (uint16_t)g;
	}
	return true;
}

static void
build_groups(struct blocks *b, const struct topo *t)
{
	uint16_t *group_of = xcalloc(b->n_cores, sizeof(*group_of));
	bool *wide = wide_l2s(t);
	uint32_t *next;

	for (unsigned int grain = GRAIN_L2; grain <= GRAIN_KIND; grain++)
		if (group_cores(b, t, wide, (enum grain)grain, group_of))
			break;
	b->group_first = xcalloc(b->n_groups + 1, sizeof(*b->group_first));
	b->group_cores = xcalloc(b->n_cores, sizeof(*b->group_cores));
	next = xcalloc(b->n_groups, sizeof(*next));
	for (unsigned int row = 0; row < b->n_rows; row++)
		b->rows[row].group = group_of[b->rows[row].core];
	for (unsigned int i = 0; i < b->n_cores; i++)
		b->group_first[1 + group_of[i]]++;
	for (unsigned int g = 0; g < b->n_groups; g++) {
		b->group_first[g + 1] += b->group_first[g];
		next[g] = b->group_first[g];
	}
	for (unsigned int i = 0; i < b->n_cores; i++)
		b->group_cores[next[group_of[i]]++] = (uint16_t)i;
	free(next);
	free(group_of);
	free(wide);
}

static unsigned int
group_size(const struct blocks *b, unsigned int group)
{
	return b->group_first[group + 1] - b->group_first[group];
}

static const struct topo_pu *
pu_of_group(const struct blocks *b, const struct topo *t, unsigned int group)
{
	return pu_of_core(b, t, b->group_cores[b->group_first[group]]);
}

/* What the CPUs of a block share, as a number: the same is the same class. */
static uint32_t
class_key(const struct blocks *b, const struct topo *t, const struct block *block)
{
	const struct topo_pu *x = pu_of_group(b, t, block->a);
	const struct topo_pu *y = pu_of_group(b, t, block->b);
	uint32_t kinds = 1u << x->kind | 1u << y->kind;
	uint32_t distance = 0;
	uint32_t shared = 5;

	if (x->node >= 0 && y->node >= 0)
		distance =
			topo_distance(t, (unsigned int)x->node, (unsigned int)y->node);
	if (block->siblings)
		shared = 0;
	else if (block->a == block->b && x->l2 >= 0 &&
		 topo_count_cores(t, &t->l2[x->l2].cpus) > 1)
		shared = 1;
	else if (x->l3 >= 0 && x->l3 == y->l3)
		shared = 2;
	else if (x->node == y->node && x->package == y->package)
		shared = 3;
	else if (x->package == y->package)
		shared = 4;
	return shared << 28 | kinds << 24 | (distance & 0xffffffu);
}

static void
build_classes(struct blocks *b, const struct topo *t)
{
	uint32_t *keys = xcalloc(b->n, sizeof(*keys));

	for (unsigned int i = 0; i < b->n; i++) {
		struct block *block = &b->items[i];
		uint32_t key = class_key(b, t, block);
		unsigned int c = 0;

		if (block->total == 0)
			continue;
		while (c < b->n_classes && keys[c] != key)
			c++;
		block->class = c;
		if (c == b->n_classes)
			keys[b->n_classes++] = key;
	}
	free(keys);
}

/* CPUs of a group, and pairs of them that share a core. */
static uint32_t
group_cpus(const struct blocks *b, unsigned int group, uint32_t *siblings)
{
	uint32_t n = 0;

	*siblings = 0;
	for (uint32_t i = b->group_first[group]; i < b->group_first[group + 1]; i++) {
		uint32_t threads = b->cores[b->group_cores[i]].n;

		n += threads;
		*siblings += threads * (threads - 1) / 2;
	}
	return n;
}

static void
size_block(const struct blocks *b, struct block *block)
{
	uint32_t siblings;
	uint32_t scale = b->by_cpu ? b->max_threads : 1;
	uint32_t n_a = group_size(b, block->a);
	uint32_t n_b = group_size(b, block->b);
	uint32_t cpus_b = b->by_cpu ? group_cpus(b, block->b, &siblings) : n_b;
	uint32_t cpus_a = b->by_cpu ? group_cpus(b, block->a, &siblings) : n_a;

	block->wanted = (n_a > n_b ? n_a : n_b) / 2;
	if (block->siblings) {
		block->places = n_a * (b->max_threads * (b->max_threads - 1) / 2);
		(void)group_cpus(b, block->a, &siblings);
		block->total = siblings;
		block->wanted = n_a / 4;
	} else if (block->a == block->b) {
		block->places = n_a * scale * (n_a * scale - 1) / 2;
		block->total = cpus_a * (cpus_a - 1) / 2 - (b->by_cpu ? siblings : 0);
	} else {
		block->places = n_a * scale * n_b * scale;
		block->total = cpus_a * cpus_b;
	}
	if (block->wanted < WANTED_MIN)
		block->wanted = WANTED_MIN;
	if (block->wanted > block->total)
		block->wanted = block->total;
	block->first = BELIEF_NONE;
	block->detail = b->by_cpu;
}

static void
build_blocks(struct blocks *b, const struct topo *t)
{
	unsigned int n = 0;

	b->n = b->n_groups * (b->n_groups + 1) / 2 + b->n_groups;
	b->items = xcalloc(b->n, sizeof(*b->items));
	for (unsigned int x = 0; x < b->n_groups; x++)
		for (unsigned int y = 0; y <= x; y++)
			b->items[n++] = (struct block){.a = x, .b = y};
	for (unsigned int x = 0; x < b->n_groups; x++)
		b->items[n++] = (struct block){.a = x, .b = x, .siblings = true};
	for (unsigned int i = 0; i < n; i++)
		size_block(b, &b->items[i]);
	build_classes(b, t);
}

void
blocks_init(
	struct blocks *b, const struct topo *t, const struct cpuset *cpus, bool by_cpu)
{
	unsigned int n = cpuset_count(cpus);

	*b = (struct blocks){.by_cpu = by_cpu};
	b->cpus = xcalloc(n, sizeof(*b->cpus));
	b->rows = xcalloc(n, sizeof(*b->rows));
	cpuset_foreach (cpu, cpus)
		b->cpus[b->n_rows++] = cpu;
	build_cores(b, t);
	build_groups(b, t);
	build_blocks(b, t);
}

void
blocks_fini(struct blocks *b)
{
	free(b->cpus);
	free(b->rows);
	free(b->cores);
	free(b->core_rows);
	free(b->group_first);
	free(b->group_cores);
	free(b->items);
	*b = (struct blocks){0};
}

struct block *
blocks_of(const struct blocks *b, unsigned int row_a, unsigned int row_b)
{
	unsigned int x = b->rows[row_a].group;
	unsigned int y = b->rows[row_b].group;

	if (b->rows[row_a].core == b->rows[row_b].core)
		return &b->items[b->n_groups * (b->n_groups + 1) / 2 + x];
	return x > y ? &b->items[x * (x + 1) / 2 + y] : &b->items[y * (y + 1) / 2 + x];
}

void
blocks_drop(struct blocks *b, unsigned int row)
{
	struct blocks_core *core = &b->cores[b->rows[row].core];
	uint16_t *rows = &b->core_rows[core->first];
	unsigned int i = 0;

	if (b->rows[row].gone)
		return;
	b->rows[row].gone = true;
	while (rows[i] != row)
		i++;
	core->n_left--;
	rows[i] = rows[core->n_left];
	rows[core->n_left] = (uint16_t)row;
	/* the numbers of the pairs have changed */
	for (i = 0; i < b->n; i++)
		b->items[i].cursor = 0;
}

/* Siblings: core by core, all pairs of its threads. */
static bool
sibling_pair(const struct blocks *b, const struct block *block, uint32_t i,
	struct blocks_pair *out)
{
	uint32_t pairs = b->max_threads * (b->max_threads - 1) / 2;
	uint32_t pair = i % pairs;
	uint32_t x = 1;
	const struct blocks_core *core =
		&b->cores[b->group_cores[b->group_first[block->a] + i / pairs]];

	while (pair >= x)
		pair -= x++;
	if (x >= core->n_left)
		return false;
	*out = (struct blocks_pair){
		.a = &b->core_rows[core->first + x],
		.b = &b->core_rows[core->first + pair],
		.n_a = 1,
		.n_b = 1,
		.left_a = 1,
		.left_b = 1,
	};
	return true;
}

/* The core that the member @i of a group is (of); @rows, its CPUs. */
static const struct blocks_core *
member(const struct blocks *b, unsigned int group, uint32_t i, const uint16_t **rows,
	unsigned int *n, unsigned int *left)
{
	uint32_t scale = b->by_cpu ? b->max_threads : 1;
	const struct blocks_core *core =
		&b->cores[b->group_cores[b->group_first[group] + i / scale]];

	*rows = &b->core_rows[core->first + i % scale];
	*n = b->by_cpu ? 1 : core->n;
	*left = core->n_left;
	if (b->by_cpu)
		*left = i % scale < core->n_left ? 1 : 0;
	return core;
}

bool
blocks_pair(const struct blocks *b, const struct block *block, uint32_t i,
	struct blocks_pair *out)
{
	uint32_t scale = b->by_cpu ? b->max_threads : 1;
	uint32_t n_a = group_size(b, block->a) * scale;
	uint32_t n_b = group_size(b, block->b) * scale;
	uint32_t x = i % n_a;
	uint32_t y = (x + i / n_a) % n_b;
	const struct blocks_core *core_a;
	const struct blocks_core *core_b;

	if (block->siblings)
		return sibling_pair(b, block, i, out);
	if (block->a == block->b) {
		y = (x + 1 + i / n_a) % n_a;
	} else if (n_a < n_b) {
		y = i % n_b;
		x = (y + i / n_b) % n_a;
	}
	core_a = member(b, block->a, x, &out->a, &out->n_a, &out->left_a);
	core_b = member(b, block->b, y, &out->b, &out->n_b, &out->left_b);
	return core_a != core_b && out->left_a > 0 && out->left_b > 0;
}
