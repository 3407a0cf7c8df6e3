// SPDX-License-Identifier: MIT
/* Latencies whose pictures are known. */
#include "config.h"

#include "heat_hosts.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

void
heat_tier(struct ctl_latency *l, double ns, const char *const *domains, unsigned int n)
{
	struct ctl_tier *tier = &l->tiers[l->n_tiers++];

	*tier = (struct ctl_tier){.latency_ns = ns, .confidence = 0.9, .n_domains = n};
	tier->domains = xcalloc(n, sizeof(*tier->domains));
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(cpuset_parse(domains[i], &tier->domains[i]), 0);
}

/* Domain of @cpu when @n CPUs, whose second half are the siblings of the first, form
 * groups of @size. */
static unsigned int
group_of(unsigned int cpu, unsigned int n, unsigned int size)
{
	return cpu % (n / 2) / (size / 2);
}

static void
add_groups(struct ctl_latency *l, double ns, unsigned int size)
{
	struct ctl_tier *tier = &l->tiers[l->n_tiers++];
	unsigned int n = l->matrix->n;

	*tier = (struct ctl_tier){.latency_ns = ns, .confidence = 1};
	tier->n_domains = n / size;
	tier->domains = xcalloc(tier->n_domains, sizeof(*tier->domains));
	for (unsigned int cpu = 0; cpu < n; cpu++)
		cpuset_add(&tier->domains[group_of(cpu, n, size)], cpu);
}

/* 8 ns between siblings, 25 in groups of eight, 100 in halves, 220 beyond. */
struct ctl_latency
heat_host(unsigned int n)
{
	struct cpuset cpus = cpuset_below(n);
	struct ctl_latency l = {.trusted = true, .matrix = matrix_new(&cpus)};

	str_copy(l.source, sizeof(l.source), "measured");
	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < a; b++)
			matrix_at(l.matrix, a, b)->ns =
				group_of(a, n, 2) == group_of(b, n, 2)		 ? 8
				: group_of(a, n, 8) == group_of(b, n, 8)	 ? 25
				: group_of(a, n, n / 2) == group_of(b, n, n / 2) ? 100
										 : 220;
	}
	add_groups(&l, 8, 2);
	add_groups(&l, 25, 8);
	add_groups(&l, 100, n / 2);
	add_groups(&l, 220, n);
	return l;
}

/* All pairs alike, no tiers. */
struct ctl_latency
heat_plain(unsigned int n, float ns)
{
	struct cpuset cpus = cpuset_below(n);
	struct ctl_latency l = {.matrix = matrix_new(&cpus)};

	for (size_t i = 0; i < matrix_pairs(n); i++)
		l.matrix->cells[i].ns = ns;
	return l;
}

/* A name that tries everything. */
const char heat_hostile[] = "</title><script>\"'&\033[31m\x01\xff\xc0\x80\xed\xa0\x80"
			    "\xe2\x80\xae\xef\xbf\xbf]]>\n\t\\ \xc3\xa9";

const struct heatmap_vm *
heat_vms(void)
{
	static struct heatmap_vm vms[3];

	vms[0] = (struct heatmap_vm){"100", "web", cpuset_of(0)};
	vms[1] = (struct heatmap_vm){"101", heat_hostile, cpuset_below(4)};
	vms[2] = (struct heatmap_vm){heat_hostile, NULL, CPUSET_NONE};
	return vms;
}

size_t
heat_count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

void
heat_expect_has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("'%s' is not in %.2000s", what, text);
}

void
heat_expect_lacks(const char *text, const char *what)
{
	if (strstr(text, what) != NULL)
		fail_msg("'%s' is there", what);
}
