// SPDX-License-Identifier: MIT
/*
 * A slice: ask where its pages are, move those that are elsewhere, ask again. Addresses
 * go by small pages; of a huge page one of them moves it whole, and the others find it
 * moved.
 */
#include "config.h"

#include "act/pagemove.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct slice {
	size_t n;
	void *pages[PAGEMOVE_PAGES];
	int nodes[PAGEMOVE_PAGES];
	int status[PAGEMOVE_PAGES];
};

static uint64_t
page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void
pagemove_init(struct pagemove *p, pid_t pid, const struct cpuset *to,
	const struct ram_range *ranges, size_t n_ranges)
{
	*p = (struct pagemove){
		.pid = pid, .to = *to, .ranges = ranges, .n_ranges = n_ranges};
	p->target = cpuset_next(to, 0);
	for (size_t i = 0; i < n_ranges; i++)
		p->total_bytes += ranges[i].end - ranges[i].start;
}

/* A failed call leaves the rest of status as it was. @nodes NULL: only ask. */
static int
call(const struct pagemove *p, struct slice *s, const int *nodes, int flags)
{
	for (size_t i = 0; i < s->n; i++)
		s->status[i] = -EAGAIN;
	if (syscall(SYS_move_pages, p->pid, s->n, s->pages, nodes, s->status, flags) <
		0)
		return -errno;
	return 0;
}

/* Keep the pages of @s that are on another node. */
static void
keep_elsewhere(const struct pagemove *p, struct slice *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		int node = s->status[i];

		/* negative: nothing is there yet */
		if (node < 0 || cpuset_has(&p->to, (unsigned int)node))
			continue;
		s->pages[kept++] = s->pages[i];
	}
	s->n = kept;
}

/* The addresses of the next slice; its range ends with it or later. */
static void
cut_slice(struct pagemove *p, struct slice *s)
{
	const struct ram_range *range = &p->ranges[p->at];
	uint64_t step = page_bytes();

	s->n = 0;
	while (s->n < PAGEMOVE_PAGES && range->start + p->offset < range->end) {
		s->pages[s->n++] = (void *)(uintptr_t)(range->start + p->offset);
		p->offset += step;
		p->seen_bytes += step;
	}
	if (range->start + p->offset >= range->end) {
		p->at++;
		p->offset = 0;
	}
}

/* Nodes in turn, as each has its part of the vCPUs. */
static int
next_target(struct pagemove *p)
{
	int node = (int)p->target;

	p->target = cpuset_next(&p->to, p->target + 1);
	if (p->target >= CPUSET_CAP)
		p->target = cpuset_next(&p->to, 0);
	return node;
}

/* Pages of other processes are moved only where they are the guest's own memory in the
 * hands of its helpers; a private page that is shared is one of KSM. */
static int
move(struct pagemove *p, struct slice *s, bool shared)
{
	uint64_t size = page_bytes();
	size_t tried = s->n;
	int target = next_target(p);
	int r;

	for (size_t i = 0; i < s->n; i++)
		s->nodes[i] = target;
	r = call(p, s, s->nodes, shared ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE);
	if (r == -ENOMEM || r == -ENOENT)
		r = 0; /* of some pages: the count tells */
	for (size_t i = 0; i < s->n; i++)
		p->full = p->full || s->status[i] == -ENOMEM;
	if (r == 0)
		r = call(p, s, NULL, 0);
	if (r < 0)
		return r;
	keep_elsewhere(p, s);
	p->moved_bytes += (tried - s->n) * size;
	p->stuck_bytes += s->n * size;
	return 0;
}

int
pagemove_step(struct pagemove *p)
{
	struct slice s;
	bool shared;
	int r;

	if (p->at >= p->n_ranges)
		return 0;
	shared = p->ranges[p->at].shared;
	cut_slice(p, &s);
	r = call(p, &s, NULL, 0);
	if (r < 0)
		return r;
	keep_elsewhere(p, &s);
	if (s.n > 0)
		r = move(p, &s, shared);
	if (r < 0)
		return r;
	return p->at < p->n_ranges;
}
