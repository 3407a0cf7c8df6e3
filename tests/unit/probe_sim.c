// SPDX-License-Identifier: MIT
/* The simulated host: see probe_sim.h. No threads, no clock but the virtual one. */
#include "config.h"

#include "probe_sim.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "probe/pace.h"
#include "probe/schedule.h"

/* Moments are this long: what disturbs visits comes and goes. */
#define MOMENT_US 100000u

const struct sim_noise sim_noise_usual = {
	.moment_sd = 0.02, .visit_sd = 0.02, .lost = 0.05, .high = 0.03};

void
sim_host_fini(struct sim_host *h)
{
	topo_free(h->topo);
	matrix_free(h->truth);
	*h = (struct sim_host){0};
}

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

double
sim_uniform(uint64_t *seed)
{
	*seed = mix(*seed);
	return (double)(*seed >> 11) / 9007199254740992.0;
}

double
sim_normal(uint64_t *seed)
{
	double u = sim_uniform(seed);
	double v = sim_uniform(seed);

	return sqrt(-2 * log(u + 1e-300)) * cos(6.283185307179586 * v);
}

/* Zen 4's levels, roughly: SMT, L3, node, package, remote. */
static double
level_ns(const struct topo_pu *x, const struct topo_pu *y)
{
	if (x->core == y->core)
		return 9;
	if (x->l3 == y->l3)
		return 24;
	if (x->node == y->node)
		return 95;
	return x->package == y->package ? 125 : 200;
}

struct sim_host
sim_chiplet(const char *name, const struct layout *layout, double tilt, double jitter,
	uint64_t seed)
{
	struct sim_host h = {.name = name, .topo = hosts_build(layout)};
	const uint64_t salt = mix(seed);
	unsigned int n = h.topo->n_pus;

	h.truth = matrix_new(&h.topo->online);
	for (unsigned int i = 1; i < n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			const struct topo_pu *x = &h.topo->pus[i];
			const struct topo_pu *y = &h.topo->pus[j];
			uint64_t low = (uint64_t)(x->l3 < y->l3 ? x->l3 : y->l3);
			uint64_t high = (uint64_t)(x->l3 < y->l3 ? y->l3 : x->l3);
			uint64_t block = salt ^ (low << 20 | high);
			double offset = x->core == y->core
						? 0
						: tilt * sim_normal(&block) +
							  jitter * sim_normal(&seed);

			*matrix_at(h.truth, i, j) = (struct matrix_cell){
				(float)(level_ns(x, y) * (1 + offset)), 1, 100};
		}
	}
	return h;
}

/* What a visit finds; 0: nothing. */
static float
visit(const struct sim_host *h, const struct sim_noise *noise, unsigned int cpu_a,
	unsigned int cpu_b, double now_us, uint64_t *seed)
{
	uint64_t moment = mix((uint64_t)(now_us / MOMENT_US) + 77);
	double ns = matrix_at(h->truth, (unsigned int)matrix_index(h->truth, cpu_a),
		(unsigned int)matrix_index(h->truth, cpu_b))
			    ->ns;
	double luck = sim_uniform(seed);

	ns *= 1 + noise->moment_sd * fabs(sim_normal(&moment));
	ns *= 1 + noise->visit_sd * sim_normal(seed);
	if (luck < noise->lost)
		return 0;
	if (luck < noise->lost + noise->high)
		ns *= 1.5 + 1.5 * sim_uniform(seed);
	return (float)ns;
}

struct neighbour {
	float estimate;
	float truth;
	uint64_t dice;
};

static int
by_estimate(const void *a, const void *b)
{
	const struct neighbour *x = a;
	const struct neighbour *y = b;

	if (x->estimate != y->estimate)
		return x->estimate < y->estimate ? -1 : 1;
	return (x->dice > y->dice) - (x->dice < y->dice);
}

static int
by_truth(const void *a, const void *b)
{
	const struct neighbour *x = a;
	const struct neighbour *y = b;

	return (x->truth > y->truth) - (x->truth < y->truth);
}

double
sim_loss(const struct matrix *truth, const struct matrix *estimate, unsigned int k,
	uint64_t seed)
{
	unsigned int n = truth->n;
	struct neighbour *row = xcalloc(n, sizeof(*row));
	double loss = 0;

	k = k < n - 1 ? k : n - 1;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int m = 0;
		double got = 0;
		double best = 0;

		for (unsigned int j = 0; j < n; j++) {
			float ns;

			if (j == i)
				continue;
			ns = matrix_at(estimate, i, j)->ns;
			seed = mix(seed);
			row[m++] = (struct neighbour){
				ns > 0 ? ns : 1e9f, matrix_at(truth, i, j)->ns, seed};
		}
		qsort(row, m, sizeof(*row), by_estimate);
		for (unsigned int j = 0; j < k; j++)
			got += row[j].truth;
		qsort(row, m, sizeof(*row), by_truth);
		for (unsigned int j = 0; j < k; j++)
			best += row[j].truth;
		loss += got / best - 1;
	}
	free(row);
	return loss / n;
}

/* One run: what is being visited and until when. */
struct run {
	const struct sim_host *host;
	const struct sim_options *o;
	struct sim_result *out;
	struct schedule *schedule; /* NULL: all pairs in order */
	struct matrix *naive;
	size_t at; /* of the pairs in order */
	struct pace *pace;
	struct cpuset busy;
	struct job {
		unsigned int cpu_a;
		unsigned int cpu_b;
		double end_us;
	} jobs[CPUSET_CAP];
	unsigned int n_jobs;
	double now_us;
	double spent_us[CPUSET_CAP];
	double cost_ns;
	uint64_t seed;
};

static double
cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
cost(struct run *r, double since_ns)
{
	double ns = cpu_ns() - since_ns;

	r->cost_ns += ns;
	r->out->next_max_us = fmax(r->out->next_max_us, ns / 1e3);
}

static void
row_and_column(size_t at, unsigned int *row, unsigned int *column)
{
	unsigned int i = (unsigned int)((1 + sqrt(1 + 8 * (double)at)) / 2);

	while (matrix_pairs(i) > at)
		i--;
	while (matrix_pairs(i + 1) <= at)
		i++;
	*row = i;
	*column = (unsigned int)(at - matrix_pairs(i));
}

static bool
next_pair(struct run *r, unsigned int *a, unsigned int *b)
{
	struct cpuset not_now = r->busy;
	struct cpuset nobody = CPUSET_NONE;
	double since;
	bool found;

	if (r->pace != NULL) {
		struct cpuset resting = pace_resting(r->pace, (uint64_t)r->now_us);

		not_now = cpuset_or(&not_now, &resting);
	}
	if (r->schedule != NULL) {
		since = cpu_ns();
		found = schedule_next(r->schedule, &not_now, &nobody, a, b);
		cost(r, since);
		return found;
	}
	if (r->at >= matrix_pairs(r->naive->n))
		return false;
	row_and_column(r->at, a, b);
	*a = r->naive->cpus[*a];
	*b = r->naive->cpus[*b];
	if (cpuset_has(&not_now, *a) || cpuset_has(&not_now, *b))
		return false;
	r->at++;
	return true;
}

static void
begin(struct run *r, unsigned int a, unsigned int b)
{
	r->jobs[r->n_jobs++] = (struct job){a, b, r->now_us + r->o->visit_us};
	cpuset_add(&r->busy, a);
	cpuset_add(&r->busy, b);
}

/* The job that ends first: all take equally long. */
static void
finish(struct run *r)
{
	struct job j = r->jobs[0];
	float ns;
	double since;

	r->now_us = j.end_us;
	for (unsigned int i = 1; i < r->n_jobs; i++)
		r->jobs[i - 1] = r->jobs[i];
	r->n_jobs--;
	cpuset_remove(&r->busy, j.cpu_a);
	cpuset_remove(&r->busy, j.cpu_b);
	r->spent_us[j.cpu_a] += r->o->visit_us;
	r->spent_us[j.cpu_b] += r->o->visit_us;
	r->out->visits++;
	if (r->pace != NULL) {
		pace_spend(r->pace, j.cpu_a, (uint64_t)r->o->visit_us,
			(uint64_t)r->now_us);
		pace_spend(r->pace, j.cpu_b, (uint64_t)r->o->visit_us,
			(uint64_t)r->now_us);
	}
	ns = visit(r->host, &r->o->noise, j.cpu_a, j.cpu_b, r->now_us, &r->seed);
	if (r->schedule == NULL) {
		matrix_at(r->naive, (unsigned int)matrix_index(r->naive, j.cpu_a),
			(unsigned int)matrix_index(r->naive, j.cpu_b))
			->ns = ns;
		return;
	}
	since = cpu_ns();
	schedule_result(r->schedule, j.cpu_a, j.cpu_b, ns);
	cost(r, since);
}

static struct sim_look
look(const struct run *r)
{
	struct matrix *m = r->schedule != NULL ? schedule_matrix(r->schedule) : NULL;
	const struct matrix *estimate = m != NULL ? m : r->naive;
	struct sim_look l = {0};
	static const unsigned int k[] = {4, 8, 16};

	for (unsigned int i = 0; i < 3; i++)
		l.loss[i] = sim_loss(r->host->truth, estimate, k[i], r->o->seed);
	for (size_t i = 0; i < matrix_pairs(estimate->n); i++)
		l.pairs += m == NULL ? estimate->cells[i].ns > 0
				     : estimate->cells[i].visits > 0;
	l.pairs /= (double)matrix_pairs(estimate->n);
	matrix_free(m);
	return l;
}

static bool
ended(const struct run *r)
{
	if (r->o->until_s > 0 && r->now_us >= r->o->until_s * 1e6)
		return true;
	if (r->schedule != NULL)
		return schedule_done(r->schedule);
	return r->at >= matrix_pairs(r->naive->n) && r->n_jobs == 0;
}

/* One step of virtual time: begin what may begin, then let the next thing happen. */
static void
step(struct run *r)
{
	unsigned int a;
	unsigned int b;

	while (r->n_jobs < r->o->jobs && next_pair(r, &a, &b))
		begin(r, a, b);
	if (r->n_jobs > 0) {
		finish(r);
		return;
	}
	if (r->pace == NULL)
		abort(); /* nothing rests, nothing is out, and there is more to do */
	r->now_us = (double)pace_next_us(r->pace, (uint64_t)r->now_us);
}

void
sim_run(const struct sim_host *h, const struct sim_options *o, struct sim_result *out)
{
	struct run *r = xcalloc(1, sizeof(*r));
	const struct schedule_options options = {
		.topo = h->topo, .cpus = h->topo->online};
	unsigned int looked = 0;

	*out = (struct sim_result){0};
	*r = (struct run){.host = h, .o = o, .out = out, .seed = o->seed};
	if (o->all_pairs)
		r->naive = matrix_new(&h->topo->online);
	else
		r->schedule = schedule_new(&options);
	if (o->cold_s >= 0)
		r->pace = pace_new(&h->topo->online, o->cold_s, 0);
	while (!ended(r)) {
		step(r);
		while (looked < o->n_looks && r->now_us >= o->looks[looked] * 1e6)
			out->looks[looked++] = look(r);
	}
	out->last = look(r);
	while (looked < o->n_looks)
		out->looks[looked++] = out->last;
	out->total_s = r->now_us / 1e6;
	out->next_ns = out->visits > 0 ? r->cost_ns / out->visits : 0;
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++)
		out->cpu_share = fmax(out->cpu_share, r->spent_us[cpu] / r->now_us);
	pace_free(r->pace);
	schedule_free(r->schedule);
	matrix_free(r->naive);
	free(r);
}
