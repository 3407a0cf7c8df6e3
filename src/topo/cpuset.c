// SPDX-License-Identifier: MIT
/* A set of CPU numbers as a fixed bit field. Pure. */
#include "config.h"

#include "topo/cpuset.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static uint64_t
bit(unsigned int cpu)
{
	return UINT64_C(1) << (cpu % 64);
}

struct cpuset
cpuset_below(unsigned int n)
{
	struct cpuset s = {{0}};

	assert(n <= CPUSET_CAP);
	for (unsigned int w = 0; w < n / 64; w++)
		s.words[w] = UINT64_MAX;
	if (n % 64 != 0)
		s.words[n / 64] = bit(n) - 1;
	return s;
}

struct cpuset
cpuset_of(unsigned int cpu)
{
	struct cpuset s = {{0}};

	cpuset_add(&s, cpu);
	return s;
}

void
cpuset_add(struct cpuset *s, unsigned int cpu)
{
	assert(cpu < CPUSET_CAP);
	s->words[cpu / 64] |= bit(cpu);
}

void
cpuset_remove(struct cpuset *s, unsigned int cpu)
{
	if (cpu < CPUSET_CAP)
		s->words[cpu / 64] &= ~bit(cpu);
}

bool
cpuset_has(const struct cpuset *s, unsigned int cpu)
{
	return cpu < CPUSET_CAP && (s->words[cpu / 64] & bit(cpu)) != 0;
}

unsigned int
cpuset_count(const struct cpuset *s)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < CPUSET_WORDS; w++) {
		if (s->words[w] != 0) /* most are 0, and counting takes a call */
			n += (unsigned int)__builtin_popcountll(s->words[w]);
	}
	return n;
}

bool
cpuset_empty(const struct cpuset *s)
{
	static const struct cpuset none;

	return cpuset_equal(s, &none);
}

bool
cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
	return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

bool
cpuset_within(const struct cpuset *a, const struct cpuset *b)
{
	for (unsigned int w = 0; w < CPUSET_WORDS; w++) {
		if ((a->words[w] & ~b->words[w]) != 0)
			return false;
	}
	return true;
}

bool
cpuset_overlap(const struct cpuset *a, const struct cpuset *b)
{
	for (unsigned int w = 0; w < CPUSET_WORDS; w++) {
		if ((a->words[w] & b->words[w]) != 0)
			return true;
	}
	return false;
}

int
cpuset_compare(const struct cpuset *a, const struct cpuset *b)
{
	for (unsigned int w = 0; w < CPUSET_WORDS; w++) {
		uint64_t diff = a->words[w] ^ b->words[w];

		if (diff != 0) /* the lowest differing bit; who has it comes first */
			return (a->words[w] & (diff & (~diff + 1))) != 0 ? -1 : 1;
	}
	return 0;
}

struct cpuset
cpuset_and(const struct cpuset *a, const struct cpuset *b)
{
	struct cpuset s;

	for (unsigned int w = 0; w < CPUSET_WORDS; w++)
		s.words[w] = a->words[w] & b->words[w];
	return s;
}

struct cpuset
cpuset_or(const struct cpuset *a, const struct cpuset *b)
{
	struct cpuset s;

	for (unsigned int w = 0; w < CPUSET_WORDS; w++)
		s.words[w] = a->words[w] | b->words[w];
	return s;
}

struct cpuset
cpuset_minus(const struct cpuset *a, const struct cpuset *b)
{
	struct cpuset s;

	for (unsigned int w = 0; w < CPUSET_WORDS; w++)
		s.words[w] = a->words[w] & ~b->words[w];
	return s;
}

unsigned int
cpuset_next(const struct cpuset *s, unsigned int from)
{
	unsigned int w = from / 64;
	uint64_t word;

	if (from >= CPUSET_CAP)
		return CPUSET_CAP;
	word = s->words[w] & ~(bit(from) - 1);
	while (word == 0) {
		if (++w == CPUSET_WORDS)
			return CPUSET_CAP;
		word = s->words[w];
	}
	return w * 64 + (unsigned int)__builtin_ctzll(word);
}

/* One number of a cpulist; *p moves behind it. */
static int
read_cpu(const char **p, unsigned int *out)
{
	unsigned int n = 0;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		n = n * 10 + (unsigned int)(**p - '0');
		if (n >= CPUSET_CAP)
			return -ERANGE;
	}
	*out = n;
	return 0;
}

static int
read_item(const char **p, struct cpuset *set)
{
	unsigned int first;
	unsigned int last;
	int r;

	r = read_cpu(p, &first);
	if (r < 0)
		return r;
	last = first;
	if (**p == '-') {
		(*p)++;
		r = read_cpu(p, &last);
		if (r < 0)
			return r;
	}
	if (last < first)
		return -EINVAL;
	for (unsigned int cpu = first; cpu <= last; cpu++)
		cpuset_add(set, cpu);
	return 0;
}

int
cpuset_parse(const char *text, struct cpuset *out)
{
	struct cpuset set = CPUSET_NONE;
	const char *p = text;
	int r;

	while (*p != '\0' && strcmp(p, "\n") != 0) {
		r = read_item(&p, &set);
		if (r < 0)
			return r;
		if (*p == ',' && p[1] >= '0' && p[1] <= '9')
			p++;
		else if (*p != '\0' && strcmp(p, "\n") != 0)
			return -EINVAL;
	}
	*out = set;
	return 0;
}

int
cpuset_parse_map(const char *text, struct cpuset *out)
{
	struct cpuset set = CPUSET_NONE;
	size_t len = strlen(text);
	unsigned int at = 0; /* bit number of the digit read next, from the right */
	unsigned int in_word = 0;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len == 0)
		return -EINVAL;
	for (size_t i = len; i-- > 0;) {
		int digit = str_hex_digit(text[i]);

		if (text[i] == ',' && i > 0 && in_word > 0 && in_word <= 8) {
			at += 32 - in_word * 4;
			in_word = 0;
			continue;
		}
		if (digit < 0 || ++in_word > 8)
			return -EINVAL;
		for (unsigned int b = 0; b < 4; b++) {
			if (((unsigned int)digit >> b & 1) == 0)
				continue;
			if (at + b >= CPUSET_CAP)
				return -ERANGE;
			cpuset_add(&set, at + b);
		}
		at += 4;
	}
	if (in_word == 0)
		return -EINVAL;
	*out = set;
	return 0;
}

/* Last CPU of the run that begins at @first. */
static unsigned int
run_end(const struct cpuset *s, unsigned int first)
{
	while (cpuset_has(s, first + 1))
		first++;
	return first;
}

char *
cpuset_format(const struct cpuset *s, char *buf, size_t size)
{
	size_t used = 0;
	unsigned int cpu = cpuset_next(s, 0);

	buf[0] = '\0';
	while (cpu < CPUSET_CAP) {
		unsigned int last = run_end(s, cpu);
		const char *comma = used > 0 ? "," : "";
		char item[24];
		size_t n;

		if (last > cpu)
			n = (size_t)snprintf(
				item, sizeof(item), "%s%u-%u", comma, cpu, last);
		else
			n = (size_t)snprintf(item, sizeof(item), "%s%u", comma, cpu);
		cpu = cpuset_next(s, last + 1);
		if (used + n + (cpu < CPUSET_CAP ? 4 : 0) >= size) {
			(void)snprintf(buf + used, size - used, "%s...", comma);
			return buf;
		}
		memcpy(buf + used, item, n + 1);
		used += n;
	}
	return buf;
}
