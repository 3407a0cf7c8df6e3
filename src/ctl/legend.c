// SPDX-License-Identifier: MIT
/* Numbers and sentences for people. Nothing from outside is quoted here. */
#include "config.h"

#include "ctl/legend.h"

#include <math.h>
#include <stdio.h>

#include "base/str.h"
#include "base/xalloc.h"

char *
legend_number(double ns, char *buf, size_t size)
{
	/* More digits than that are noise. */
	(void)snprintf(buf, size, "%.*f", ns < 9.95 ? 1 : 0, ns);
	return buf;
}

/* What the domains of a tier are. */
struct shape {
	unsigned int n; /* of more than one CPU */
	unsigned int alone;
	unsigned int smallest;
	unsigned int largest;
};

static struct shape
shape_of(const struct axis *a, unsigned int tier)
{
	struct shape s = {0};

	for (unsigned int at = 0, end; at < a->n; at = end) {
		unsigned int size;

		end = axis_end(a, tier, at);
		size = end - at;
		if (size == 1) {
			s.alone++;
			continue;
		}
		s.n++;
		if (s.smallest == 0 || size < s.smallest)
			s.smallest = size;
		if (size > s.largest)
			s.largest = size;
	}
	return s;
}

char *
legend_tier(const struct ctl_latency *l, const struct axis *a, unsigned int tier)
{
	struct shape s = shape_of(a, tier);
	struct strbuf b = {0};
	char ns[32];

	strbuf_addf(&b, "tier %u: ", tier + 1);
	if (l->tiers[tier].latency_ns > 0)
		strbuf_addf(&b, "%s ns, ",
			legend_number(l->tiers[tier].latency_ns, ns, sizeof(ns)));
	if (s.n == 1 && s.alone == 0)
		strbuf_addf(&b, "all %u CPUs", s.largest);
	else if (s.smallest == s.largest)
		strbuf_addf(&b, "%u domain%s of %u CPUs", s.n, s.n == 1 ? "" : "s",
			s.largest);
	else
		strbuf_addf(
			&b, "%u domains of %u to %u CPUs", s.n, s.smallest, s.largest);
	if (s.alone > 0)
		strbuf_addf(
			&b, " and %u single CPU%s", s.alone, s.alone == 1 ? "" : "s");
	/* Of what was not measured there is nothing to be confident of. */
	if (l->trusted)
		strbuf_addf(&b, ", confidence %.0f %%",
			fmin(fmax(l->tiers[tier].confidence, 0), 1) * 100);
	return strbuf_take(&b);
}

char *
legend_facts(const struct ctl_latency *l, const struct scale *s)
{
	unsigned int n = l->matrix != NULL ? l->matrix->n : 0;
	struct strbuf b = {0};

	strbuf_addf(&b, "%u CPU%s, %s", n, n == 1 ? "" : "s",
		l->trusted ? "trusted"
		: l->n_tiers == 1
			? "not trusted: the whole host is one tier"
			: "not trusted: the tiers are those of the host's own tree");
	if (s->n_none > 0)
		strbuf_addf(&b, ", %zu of %zu pairs without result", s->n_none,
			s->n_none + s->n_results);
	return strbuf_take(&b);
}
