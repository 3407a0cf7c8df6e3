// SPDX-License-Identifier: MIT
/*
 * Tiers of a host: partitions of its CPUs from near to far, each made by joining blocks
 * of the one before, so that they nest whatever the host's groups do. Pure.
 */
#include "config.h"

#include "topo/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "topo/agreement.h"
#include "topo/alike.h"
#include "topo/cluster.h"
#include "topo/levels.h"
#include "topo/spread.h"

/* The share of the members whose blocks the host's own tree knows that makes a
 * partition no news. */
#define NEWS_MAX 0.8f

/* Clusters are looked for where at least this share of the pairs is known. */
#define DENSE_MIN 0.4f

/* From the twentieth part of the values to the last but that: less than this is flat.
 */
#define FLAT_RATIO 1.2f

/* The clearest tier is at least as clear as this. */
#define CLEAR_MIN 0.5f

/* A cluster that the tree does not know is at least as clear as this. */
#define CLUSTER_MIN 0.25f

/* Tag of the tier of two kinds, beyond those of clusters. */
#define TAG_ALIKE (CLUSTER_TIERS_MAX + 1)

/* Two latencies are never measured to repeat better than this (logarithm). */
#define SPREAD_MIN 0.02f

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
	int *domain_of = &r->domain_of[(size_t)r->n_tiers * CPUSET_CAP];

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

/* Tiers of a chain from single PUs to the host. */
static struct ranking *
build(const struct topo *t, const struct levels *chain, const struct lat_view *lat)
{
	struct ranking *r = xcalloc(1, sizeof(*r));
	unsigned int n_domains = 0;

	assert(lat->n == t->n_pus);
	for (unsigned int k = 1; k < chain->n; k++)
		n_domains += chain->at[k].n_blocks;
	r->tiers = xcalloc(chain->n - 1, sizeof(*r->tiers));
	r->domains = xcalloc(n_domains, sizeof(*r->domains));
	r->domain_of =
		xcalloc((size_t)(chain->n - 1) * CPUSET_CAP, sizeof(*r->domain_of));
	for (unsigned int k = 1; k < chain->n; k++) {
		add_tier(r, &chain->at[k], t);
		r->tiers[k - 1].latency_ns = new_pairs_median(&chain->at[k], lat);
	}
	finish_domains(r, t);
	return r;
}

struct ranking *
ranking_from_topo(const struct topo *t, const struct lat_view *lat)
{
	struct levels own = levels_of_topo(t);
	struct levels chain = levels_nest(&own, t->n_pus);
	struct ranking *r = build(t, &chain, lat);

	r->why = "not measured";
	levels_fini(&own);
	levels_fini(&chain);
	return r;
}

/* A measured host while its ranking is made. */
struct findings {
	struct lat_view measured; /* of the host's PUs, 0: not known */
	float *ns;		  /* what it looks at */
	float *confidence;	  /* of each PU pair, 0..1 */
	struct spread all;
	unsigned int n_known_pus;
	struct levels own;   /* groups as the host has them */
	struct levels chain; /* and nested */
	struct cluster clusters;
	unsigned int n_levels;
	struct ranking_level levels[RANKING_LEVELS_MAX]; /* of chain.at[1] and on */
	unsigned int n_new; /* clusters that the tree does not know */
	float alike;	    /* confidence of a tier of kinds; 0: there is none */
};

/* Values that were measured; what was inferred from others proves nothing. */
static void
read_matrix(struct findings *f, const struct topo *t, const struct matrix *m)
{
	size_t n = t->n_pus;
	auto_free bool *known = xcalloc(n, sizeof(*known));
	auto_free int *rows = xcalloc(n, sizeof(*rows));

	f->ns = xcalloc(n * n, sizeof(*f->ns));
	f->confidence = xcalloc(n * n, sizeof(*f->confidence));
	f->measured = (struct lat_view){f->ns, t->n_pus};
	for (unsigned int a = 0; a < n; a++) {
		rows[a] = matrix_index(m, t->pus[a].cpu);
		for (unsigned int b = 0; b < a && rows[a] >= 0; b++) {
			const struct matrix_cell *c;

			if (rows[b] < 0)
				continue;
			c = matrix_at(m, (unsigned int)rows[a], (unsigned int)rows[b]);
			if (c->visits == 0 || !(c->ns > 0))
				continue;
			f->ns[a * n + b] = f->ns[b * n + a] = c->ns;
			f->confidence[a * n + b] = (float)c->confidence_pct / 100;
			spread_add(&f->all, c->ns);
			known[a] = known[b] = true;
		}
	}
	for (unsigned int i = 0; i < n; i++)
		f->n_known_pus += known[i] ? 1 : 0;
}

static void
check_levels(struct findings *f)
{
	f->n_levels = 0;
	for (unsigned int k = 1; k + 1 < f->chain.n; k++)
		f->levels[f->n_levels++] =
			agreement_check(&f->measured, &f->chain, k, &f->clusters);
}

/* Clusters of the PUs or, where few pairs are known, of the smallest groups between
 * which most are, unless these are denied. */
static void
find_clusters(struct findings *f)
{
	float pairs = (float)matrix_pairs(f->measured.n);
	bool dense = (float)f->all.n >= DENSE_MIN * pairs && f->all.n > 0;

	/* either takes long, and tells nothing in the other case */
	if (!dense)
		check_levels(f);
	for (unsigned int k = dense ? 0 : 1; k + 1 < f->chain.n; k++) {
		if (k > 0 && f->levels[k - 1].verdict == RANKING_DENIED)
			continue;
		f->clusters = cluster_find_between(&f->measured, &f->chain.at[k]);
		if (f->clusters.known >= DENSE_MIN)
			return;
		cluster_fini(&f->clusters);
	}
}

static bool
same_blocks(const struct partition *p, const struct partition *q)
{
	return p->n_blocks == q->n_blocks && partition_within(p, q);
}

/* What is denied goes, also under another name. */
static void
drop_denied(struct findings *f)
{
	for (unsigned int k = 0; k < f->n_levels; k++) {
		const struct partition *denied = &f->chain.at[k + 1];

		if (f->levels[k].verdict != RANKING_DENIED)
			continue;
		for (unsigned int i = f->own.n; i-- > 0;) {
			if (f->own.at[i].name == denied->name ||
				same_blocks(&f->own.at[i], denied))
				levels_remove(&f->own, i);
		}
	}
}

/* Most members are in blocks that the tree knows. */
static bool
is_known(const struct findings *f, const struct partition *p)
{
	auto_free bool *same = xcalloc(p->n, sizeof(*same));
	unsigned int n = 0;

	for (unsigned int k = 0; k < f->chain.n; k++) {
		bool denied = k > 0 && k <= f->n_levels &&
			      f->levels[k - 1].verdict == RANKING_DENIED;

		if (!denied)
			partition_mark_same(p, &f->chain.at[k], same);
	}
	for (unsigned int i = 0; i < p->n; i++)
		n += same[i] ? 1 : 0;
	return (float)n >= NEWS_MAX * (float)p->n;
}

static void
add_clusters(struct findings *f)
{
	for (unsigned int k = 0; k < f->clusters.n_tiers; k++) {
		struct partition p;

		if (is_known(f, &f->clusters.tiers[k].blocks))
			continue;
		p = partition_copy(&f->clusters.tiers[k].blocks);
		p.name = "cluster";
		p.tag = k + 1;
		levels_insert(&f->own, p);
		f->n_new++;
	}
}

/* Latencies of a class of pairs, with the sum of their logarithms. */
struct pairs {
	struct spread ns;
	double log_sum;
};

/* Half of what lies between the tenth parts at both ends, in logarithms. */
static float
half_spread(const struct pairs *p)
{
	return logf(spread_quantile(&p->ns, 0.9f) / spread_quantile(&p->ns, 0.1f)) / 2 +
	       SPREAD_MIN;
}

/*
 * How clear a tier is: the distance of its pairs from those of the next tier in units
 * of how far both spread, as the part of 1 that an exponential leaves; times the mean
 * confidence of all these pairs.
 */
static float
clearness(const struct findings *f, const struct partition *p)
{
	auto_free struct pairs *in = xcalloc(2, sizeof(*in));
	struct pairs *out = in + 1;
	float confidence = 0;
	float step;

	for (unsigned int a = 0; a < p->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			struct pairs *side = p->head[a] == p->head[b] ? in : out;
			float ns = lat_ns(&f->measured, a, b);

			if (!(ns > 0) || p[1].head[a] != p[1].head[b] ||
				p[-1].head[a] == p[-1].head[b])
				continue;
			spread_add(&side->ns, ns);
			side->log_sum += (double)logf(ns);
			confidence += f->confidence[(size_t)a * p->n + b];
		}
	}
	if (in->ns.n == 0 || out->ns.n == 0)
		return 0;
	step = (float)(out->log_sum / (double)out->ns.n -
		       in->log_sum / (double)in->ns.n);
	confidence /= (float)(in->ns.n + out->ns.n);
	return step > 0 ? confidence * (1 - expf(-step / (half_spread(in) +
								 half_spread(out))))
			: 0;
}

static bool
is_measured(const struct findings *f, const char *name)
{
	for (unsigned int k = 0; k < f->n_levels; k++) {
		if (f->levels[k].name == name)
			return f->levels[k].verdict == RANKING_CONFIRMED ||
			       f->levels[k].verdict == RANKING_SPLIT;
	}
	return strcmp(name, "cluster") == 0;
}

/* Confidence of the tiers that measuring found or confirmed; the best of them. */
static float
set_confidence(struct ranking *r, const struct findings *f, const struct levels *chain)
{
	float best = 0;

	for (unsigned int k = 1; k + 1 < chain->n; k++) {
		if (!is_measured(f, chain->at[k].name))
			continue;
		r->tiers[k - 1].confidence = chain->at[k].tag == TAG_ALIKE
						     ? f->alike
						     : clearness(f, &chain->at[k]);
		best = fmaxf(best, r->tiers[k - 1].confidence);
	}
	return best;
}

/* The tag of a cluster that is not clear where it is in the chain; 0: all are. */
static unsigned int
find_unclear(const struct findings *f, const struct levels *chain)
{
	for (unsigned int k = 1; k + 1 < chain->n; k++) {
		if (chain->at[k].tag > 0 && clearness(f, &chain->at[k]) < CLUSTER_MIN)
			return chain->at[k].tag;
	}
	return 0;
}

/* What is left of the tree and the clear ones among the clusters, put together. */
static struct levels
make_chain(struct findings *f)
{
	struct levels chain;
	unsigned int tag;

	drop_denied(f);
	add_clusters(f);
	for (;;) {
		chain = levels_nest(&f->own, f->measured.n);
		tag = find_unclear(f, &chain);
		if (tag == 0)
			return chain;
		levels_fini(&chain);
		for (unsigned int k = f->own.n; k-- > 0;) {
			if (f->own.at[k].tag == tag)
				levels_remove(&f->own, k);
		}
		f->n_new--;
	}
}

/* Mean confidence of the known pairs. */
static float
mean_confidence(const struct findings *f)
{
	size_t n = (size_t)f->measured.n * f->measured.n;
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += f->confidence[i];
	return f->all.n > 0 ? sum / (float)f->all.n : 0;
}

/* Kinds of cores are the last tier below the host. */
static void
add_alike(struct findings *f, const struct topo *t, struct levels *chain)
{
	struct partition kinds = {0};
	bool told = levels_kinds(t, &kinds);
	struct alike a;

	if (f->clusters.known >= DENSE_MIN &&
		alike_find(&f->measured, &chain->at[chain->n - 2], told ? &kinds : NULL,
			&a)) {
		assert(chain->n < LEVELS_MAX);
		chain->at[chain->n] = chain->at[chain->n - 1];
		a.blocks.name = "cluster";
		a.blocks.tag = TAG_ALIKE;
		chain->at[chain->n++ - 1] = a.blocks;
		f->alike = a.confidence * mean_confidence(f);
		f->n_new++;
	}
	partition_fini(&kinds);
}

/* Why nothing can be made of the values; NULL: there is something to go by. */
static const char *
reason_against(const struct findings *f)
{
	unsigned int found = f->n_new;
	unsigned int unknown = 0;

	for (unsigned int k = 0; k < f->n_levels; k++) {
		found += is_measured(f, f->levels[k].name) ? 1 : 0;
		unknown += f->levels[k].verdict == RANKING_UNKNOWN ? 1 : 0;
	}
	if (f->all.n == 0)
		return "nothing is measured";
	if (2 * f->n_known_pus < f->measured.n || unknown > 0 ||
		(found == 0 && f->clusters.known < DENSE_MIN))
		return "too little is measured";
	if (found > 0)
		return NULL;
	if (spread_quantile(&f->all, 0.95f) <
		FLAT_RATIO * spread_quantile(&f->all, 0.05f))
		return "all CPUs are equally near";
	return "latencies differ without a clear step";
}

static struct ranking *
make_ranking(struct findings *f, const struct topo *t, const struct lat_view *lat)
{
	struct levels chain = make_chain(f);
	struct ranking *r;
	float best;

	add_alike(f, t, &chain);
	r = build(t, &chain, lat);
	best = set_confidence(r, f, &chain);
	r->n_levels = f->n_levels;
	memcpy(r->levels, f->levels, sizeof(r->levels));
	r->why = reason_against(f);
	if (r->why == NULL && best < CLEAR_MIN)
		r->why = "measured values are too noisy";
	r->trusted = r->why == NULL;
	levels_fini(&chain);
	return r;
}

struct ranking *
ranking_from_matrix(
	const struct topo *t, const struct matrix *m, const struct lat_view *lat)
{
	auto_free struct findings *f = xcalloc(1, sizeof(*f));
	struct ranking *r;

	read_matrix(f, t, m);
	f->own = levels_of_topo(t);
	f->chain = levels_nest(&f->own, t->n_pus);
	find_clusters(f);
	check_levels(f); /* now that clusters tell what is split or cut across */
	r = make_ranking(f, t, lat);
	cluster_fini(&f->clusters);
	levels_fini(&f->own);
	levels_fini(&f->chain);
	free(f->ns);
	free(f->confidence);
	return r->trusted ? r : ranking_distrust(r, t, lat, r->why);
}

struct ranking *
ranking_distrust(struct ranking *r, const struct topo *t, const struct lat_view *lat,
	const char *why)
{
	struct ranking *own = ranking_from_topo(t, lat);

	own->why = why;
	own->n_levels = r->n_levels;
	memcpy(own->levels, r->levels, sizeof(own->levels));
	ranking_free(r);
	return own;
}

const char *
ranking_verdict_name(enum ranking_verdict v)
{
	static const char *const names[] = {
		[RANKING_UNKNOWN] = "unknown",
		[RANKING_CONFIRMED] = "confirmed",
		[RANKING_UNSEEN] = "not seen",
		[RANKING_SPLIT] = "split",
		[RANKING_DENIED] = "denied",
	};

	return names[v];
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
