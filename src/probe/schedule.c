// SPDX-License-Identifier: MIT
/*
 * Hands out the pairs of the rounds (probe/round.h) to whoever measures, and takes the
 * results. What a round contains is decided there, what the results mean in
 * probe/infer.h. A pair is in the list, or out, or neither, and never two of these.
 */
#include "config.h"

#include "probe/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "probe/belief.h"
#include "probe/blocks.h"
#include "probe/infer.h"
#include "probe/pairs.h"
#include "probe/round.h"

/* Entries of the list that a call looks at from its beginning, and again as many from
 * where the last one stopped: bounded however long the list is, and in the end all. */
#define LOOK_AHEAD 512u
/* Rounds that one call may add. */
#define ROUNDS_MAX 2u

#define NOWHERE SIZE_MAX

struct schedule {
	struct blocks blocks;
	struct pairs pairs;
	struct round round;
	struct matrix *known; /* NULL: none */
	struct cpuset avoid;  /* as last told */
	size_t head;	      /* of the round's list: all before it are taken */
	size_t cursor;
	size_t queued; /* entries that are not taken */
	size_t out;
	size_t useful;	 /* visits of pairs that were among the wanted ones */
	size_t measured; /* pairs with a result */
	unsigned int visits;
	enum schedule_phase phase;
	bool done;
};

static bool
add_round(struct schedule *s)
{
	size_t before = s->round.n;

	if (!round_add(&s->round, &s->avoid))
		return false;
	s->queued += s->round.n - before;
	if (s->round.refining)
		s->phase = SCHEDULE_REFINE;
	else if (s->round.number > 1 && s->phase == SCHEDULE_REPRESENTATIVES)
		s->phase = SCHEDULE_VERIFY;
	return true;
}

/* Nothing is to be done and nothing can come: either there is a next round, or none. */
static void
settle(struct schedule *s)
{
	if (s->queued > 0 || s->out > 0 || s->done || add_round(s))
		return;
	s->done = true;
	s->phase = SCHEDULE_DONE;
}

static void
count(struct schedule *s, struct belief *b, float ns)
{
	struct block *block = blocks_of(&s->blocks, b->a, b->b);
	bool hopeless = belief_hopeless(b);

	belief_add(b, ns);
	block->visits++;
	if (!hopeless && belief_hopeless(b))
		block->hopeless++;
	if (ns > 0 && b->results == 1)
		s->measured++;
	if (ns > 0 && b->results <= BELIEF_VISITS)
		s->useful++;
}

static void
know(struct schedule *s, unsigned int i, unsigned int j)
{
	const struct matrix_cell *cell = matrix_at(s->known, i, j);
	unsigned int visits =
		cell->visits < BELIEF_VISITS ? cell->visits : BELIEF_VISITS;
	struct block *block = blocks_of(&s->blocks, i, j);
	uint32_t index;

	if (!(cell->ns > 0) || visits == 0 ||
		infer_stand_in(&s->blocks, &s->pairs, i, j) != NULL)
		return;
	index = pairs_add(&s->pairs, i, j);
	s->pairs.items[index].next = block->first;
	block->first = index;
	block->tried++;
	for (unsigned int v = 0; v < visits; v++)
		count(s, &s->pairs.items[index], cell->ns);
	s->round.load[i] += visits;
	s->round.load[j] += visits;
}

/* A core that earlier results say nothing of has one more pair in each block of its
 * group, also where the block is known well enough. */
static void
welcome(struct schedule *s, unsigned int core)
{
	const struct blocks_core *c = &s->blocks.cores[core];
	unsigned int group = s->blocks.rows[s->blocks.core_rows[c->first]].group;

	for (unsigned int i = 0; i < c->n; i++)
		if (s->round.load[s->blocks.core_rows[c->first + i]] > 0)
			return;
	for (unsigned int i = 0; i < s->blocks.n; i++) {
		struct block *b = &s->blocks.items[i];

		if ((b->a != group && b->b != group) || b->total <= b->tried)
			continue;
		b->wanted = b->wanted > b->tried ? b->wanted : b->tried;
		b->wanted += b->wanted < b->total ? 1 : 0;
	}
}

static void
learn(struct schedule *s, const struct matrix *known, const struct cpuset *cpus)
{
	s->known = matrix_select(known, cpus);
	for (unsigned int i = 1; i < s->blocks.n_rows; i++)
		for (unsigned int j = 0; j < i; j++)
			know(s, i, j);
	for (unsigned int core = 0; s->measured > 0 && core < s->blocks.n_cores; core++)
		welcome(s, core);
}

struct schedule *
schedule_new(const struct schedule_options *o)
{
	struct schedule *s = xcalloc(1, sizeof(*s));
	struct cpuset cpus = cpuset_and(&o->cpus, &o->topo->online);

	blocks_init(&s->blocks, o->topo, &cpus, o->exhaustive);
	pairs_init(&s->pairs, s->blocks.n_rows);
	round_init(&s->round, &s->blocks, &s->pairs);
	/* The first round waits for the first call, which tells what to avoid, unless
	 * it may be that there is none. */
	if (o->known != NULL)
		learn(s, o->known, &cpus);
	if (o->known != NULL || s->blocks.n_rows < 2)
		settle(s);
	return s;
}

void
schedule_free(struct schedule *s)
{
	if (s == NULL)
		return;
	matrix_free(s->known);
	round_fini(&s->round);
	pairs_fini(&s->pairs);
	blocks_fini(&s->blocks);
	free(s);
}

/* Is the entry to be had now? The first that should be left for later is remembered. */
static bool
possible(const struct schedule *s, size_t at, const struct cpuset *not_now,
	const struct cpuset *avoid, size_t *later)
{
	const struct belief *b;
	unsigned int cpu_a;
	unsigned int cpu_b;

	if (s->round.list[at] == BELIEF_NONE)
		return false;
	b = &s->pairs.items[s->round.list[at]];
	cpu_a = s->blocks.cpus[b->a];
	cpu_b = s->blocks.cpus[b->b];
	if (cpuset_has(not_now, cpu_a) || cpuset_has(not_now, cpu_b))
		return false;
	if (!cpuset_has(avoid, cpu_a) && !cpuset_has(avoid, cpu_b))
		return true;
	if (*later == NOWHERE)
		*later = at;
	return false;
}

static size_t
search(struct schedule *s, const struct cpuset *not_now, const struct cpuset *avoid,
	size_t *later)
{
	size_t n = s->round.n;

	while (s->head < n && s->round.list[s->head] == BELIEF_NONE)
		s->head++;
	*later = NOWHERE;
	for (size_t i = s->head; i < n && i < s->head + LOOK_AHEAD; i++)
		if (possible(s, i, not_now, avoid, later))
			return i;
	for (unsigned int k = 0; k < LOOK_AHEAD && n > s->head + LOOK_AHEAD; k++) {
		if (++s->cursor >= n || s->cursor < s->head)
			s->cursor = s->head;
		if (possible(s, s->cursor, not_now, avoid, later))
			return s->cursor;
	}
	return NOWHERE;
}

/* Forget the part of the list that is taken, when it is the larger one. */
static void
trim(struct schedule *s)
{
	struct round *r = &s->round;

	if (s->queued == 0)
		s->head = r->n;
	if (s->head < r->n / 2 || s->head == 0)
		return;
	memmove(r->list, &r->list[s->head], (r->n - s->head) * sizeof(*r->list));
	r->n -= s->head;
	s->cursor = 0;
	s->head = 0;
}

static void
hand_out(struct schedule *s, size_t at, unsigned int *cpu_a, unsigned int *cpu_b)
{
	struct belief *b = &s->pairs.items[s->round.list[at]];

	b->out = true;
	s->round.list[at] = BELIEF_NONE;
	s->queued--;
	s->out++;
	*cpu_a = s->blocks.cpus[b->a];
	*cpu_b = s->blocks.cpus[b->b];
	trim(s);
}

bool
schedule_next(struct schedule *s, const struct cpuset *not_now,
	const struct cpuset *avoid, unsigned int *cpu_a, unsigned int *cpu_b)
{
	size_t later = NOWHERE;
	size_t at = NOWHERE;

	s->avoid = *avoid;
	for (unsigned int i = 0; i <= ROUNDS_MAX && !s->done; i++) {
		at = search(s, not_now, avoid, &later);
		/* The next round early, where that lets CPUs be left for later, and so
		 * that a few that have to rest do not hold up all others. */
		if (at != NOWHERE || i == ROUNDS_MAX ||
			(later == NOWHERE && s->queued > s->blocks.n_rows / 2) ||
			!add_round(s))
			break;
	}
	if (at == NOWHERE)
		at = later;
	if (at == NOWHERE)
		return false;
	hand_out(s, at, cpu_a, cpu_b);
	return true;
}

static int
row_of(const struct schedule *s, unsigned int cpu)
{
	const struct matrix m = {.n = s->blocks.n_rows, .cpus = s->blocks.cpus};

	return matrix_index(&m, cpu);
}

void
schedule_result(struct schedule *s, unsigned int cpu_a, unsigned int cpu_b, float ns)
{
	int a = row_of(s, cpu_a);
	int b = row_of(s, cpu_b);
	struct belief *belief = NULL;

	if (a >= 0 && b >= 0 && a != b)
		belief = pairs_find(&s->pairs, (unsigned int)a, (unsigned int)b);
	if (belief == NULL || !belief->out)
		return;
	belief->out = false;
	belief->queued = false;
	s->out--;
	s->visits++;
	count(s, belief, ns);
	settle(s);
}

void
schedule_drop_cpu(struct schedule *s, unsigned int cpu)
{
	int row = row_of(s, cpu);

	if (row < 0 || s->blocks.rows[row].gone)
		return;
	blocks_drop(&s->blocks, (unsigned int)row);
	for (size_t i = s->head; i < s->round.n; i++) {
		struct belief *b;

		if (s->round.list[i] == BELIEF_NONE)
			continue;
		b = &s->pairs.items[s->round.list[i]];
		if (b->a != row && b->b != row)
			continue;
		b->queued = false;
		s->round.list[i] = BELIEF_NONE;
		s->queued--;
	}
	for (size_t i = 0; s->out > 0 && i < s->pairs.n; i++) {
		struct belief *b = &s->pairs.items[i];

		if (!b->out || (b->a != row && b->b != row))
			continue;
		b->out = false;
		b->queued = false;
		s->out--;
	}
	trim(s);
	settle(s);
}

unsigned int
schedule_rounds(const struct schedule *s)
{
	return s->round.number;
}

bool
schedule_done(const struct schedule *s)
{
	return s->done;
}

void
schedule_progress(const struct schedule *s, struct schedule_progress *out)
{
	size_t wanted = round_pairs_total(&s->round) * BELIEF_VISITS;
	size_t more = wanted > s->useful ? wanted - s->useful : 0;

	if (more < s->queued + s->out)
		more = s->queued + s->out;
	if (s->done)
		more = 0;
	*out = (struct schedule_progress){
		.phase = s->phase,
		.visits = s->visits,
		.visits_total = s->visits + (unsigned int)more,
		.pairs = (unsigned int)s->measured,
		.pairs_total = (unsigned int)matrix_pairs(s->blocks.n_rows),
	};
}

struct matrix *
schedule_matrix(const struct schedule *s)
{
	return infer_matrix(&s->blocks, &s->pairs, s->known);
}
