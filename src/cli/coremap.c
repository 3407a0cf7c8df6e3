// SPDX-License-Identifier: MIT
/*
 * Lines have a round number of cores, so that they can be counted; where there are
 * several, each begins with the number of its first CPU. Hosts without siblings need no
 * brackets.
 */
#include "config.h"

#include "cli/coremap.h"

/* A blank behind so many CPUs, where there are no brackets. */
#define PLAIN_GROUP 8u

/* Sums of shares are not exact. */
#define ROUNDING 0.01

static unsigned int
siblings_max(const struct topo *t)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < t->n_cores; i++) {
		unsigned int n = cpuset_count(&t->cores[i].cpus);

		most = n > most ? n : most;
	}
	return most;
}

static char
mark(const struct coremap *m, unsigned int cpu)
{
	double load = m->load[cpu];
	unsigned int n;

	if (cpuset_has(&m->reserved, cpu))
		return load > 0 ? 'R' : 'r';
	if (cpuset_has(&m->topo->isolated, cpu))
		return load > 0 ? 'I' : 'i';
	if (!(load > 0))
		return '.';
	n = load < 9 ? (unsigned int)(load + 1 - ROUNDING) : 9;
	return (char)('0' + (n > 0 ? n : 1));
}

static const char *
colour_of(double load)
{
	if (!(load > 0))
		return NULL;
	return load > 1.5 ? "31" : load > 1 + ROUNDING ? "33" : "32";
}

static void
add_cpu(const struct coremap *m, unsigned int cpu, struct strbuf *b)
{
	const char *colour = m->colours ? colour_of(m->load[cpu]) : NULL;

	if (colour != NULL)
		strbuf_addf(b, "\x1b[%sm%c\x1b[0m", colour, mark(m, cpu));
	else
		strbuf_addf(b, "%c", mark(m, cpu));
}

/* Cores in a line: a power of two if it can be. */
static unsigned int
cores_a_line(const struct coremap *m, unsigned int siblings)
{
	unsigned int room = m->columns > m->indent ? m->columns - m->indent : 0;
	unsigned int fit = siblings > 1 ? room / (siblings + 2)
					: (room + 1) / (PLAIN_GROUP + 1) * PLAIN_GROUP;
	unsigned int n = 1;

	while (2 * n <= fit)
		n *= 2;
	return n;
}

static void
begin_line(const struct coremap *m, const struct topo_group *core, bool numbered,
	struct strbuf *b)
{
	if (numbered)
		strbuf_addf(b, "%*u ", (int)m->indent - 1, core->id);
	else
		strbuf_addf(b, "%*s", (int)m->indent, "");
}

static void
add_core(const struct coremap *m, const struct topo_group *core,
	const struct cpuset *cpus, bool brackets, struct strbuf *b)
{
	struct cpuset mine = cpuset_and(&core->cpus, cpus);

	strbuf_adds(b, brackets ? "[" : "");
	cpuset_foreach (cpu, &mine)
		add_cpu(m, cpu, b);
	strbuf_adds(b, brackets ? "]" : "");
}

void
coremap_add(const struct coremap *m, const struct cpuset *cpus, struct strbuf *b)
{
	const struct topo *t = m->topo;
	unsigned int siblings = siblings_max(t);
	unsigned int line = cores_a_line(m, siblings);
	bool numbered = topo_count_cores(t, cpus) > line;
	unsigned int at = 0;

	for (unsigned int i = 0; i < t->n_cores; i++) {
		if (!cpuset_overlap(&t->cores[i].cpus, cpus))
			continue;
		if (at % line == 0) {
			strbuf_adds(b, at > 0 ? "\n" : "");
			begin_line(m, &t->cores[i], numbered, b);
		} else if (siblings == 1 && at % PLAIN_GROUP == 0) {
			strbuf_adds(b, " ");
		}
		add_core(m, &t->cores[i], cpus, siblings > 1, b);
		at++;
	}
	if (at > 0)
		strbuf_adds(b, "\n");
}

static bool
any_load(const struct coremap *m, const struct cpuset *cpus)
{
	cpuset_foreach (cpu, cpus) {
		if (m->load[cpu] > 0)
			return true;
	}
	return false;
}

/* "r reserved", or with vCPUs there "r R reserved". */
static void
add_kind(const struct coremap *m, const struct cpuset *cpus, const char *small,
	const char *both, struct strbuf *line)
{
	struct cpuset here = cpuset_and(cpus, &m->topo->online);

	if (!cpuset_empty(&here))
		strbuf_addf(line, "%s%s", line->len > 0 ? ", " : "",
			any_load(m, &here) ? both : small);
}

void
coremap_add_legend(const struct coremap *m, struct strbuf *b)
{
	struct cpuset odd = cpuset_or(&m->reserved, &m->topo->isolated);
	struct strbuf kinds = {0};

	odd = cpuset_and(&odd, &m->topo->online);
	if (siblings_max(m->topo) > 1)
		strbuf_adds(b, "[ ] is a core; ");
	strbuf_adds(b, "a character is a CPU:\n"
		       "1-9 vCPUs for each CPU, rounded up, . none\n");
	add_kind(m, &m->reserved, "r reserved", "r R reserved", &kinds);
	add_kind(m, &m->topo->isolated, "i isolated", "i I isolated", &kinds);
	if (kinds.len > 0)
		strbuf_addf(b, "%s%s\n", kinds.s,
			any_load(m, &odd) ? "; capitals: vCPUs may run there" : "");
	strbuf_fini(&kinds);
}
