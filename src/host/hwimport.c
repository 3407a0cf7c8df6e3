// SPDX-License-Identifier: MIT
/*
 * Distances between PUs as a matrix. The child finds them and sends them as they are;
 * what they are worth is decided here, number by number.
 */
#include "config.h"

#include "host/hwimport.h"

#include <errno.h>
#include <hwloc.h>
#include <hwloc/distances.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/hwchild.h"
#include "host/hwexport.h"
#include "host/hwscan.h"

/* A tenth of a millisecond: nothing between two CPUs takes that long. */
#define PS_MAX UINT64_C(100000000)
#define PS_PER_NS 1000u
/* Matrices between PUs of one topology that are looked at. */
#define MATRICES_MAX 16u

struct job {
	const char *text;
	const char *name;
};

/* Ahead of the CPU numbers and the n * n values, all as they are in the file. */
struct head {
	uint64_t n;
	uint64_t scale; /* picoseconds of 1 */
};

static const struct hwloc_distances_s *
find_matrix(hwloc_topology_t h, struct head *head)
{
	struct hwloc_distances_s *found[MATRICES_MAX];
	unsigned int n = MATRICES_MAX;

	head->scale = 1;
	if (hwloc_distances_get_by_name(h, HWEXPORT_NAME, &n, found, 0) == 0 && n > 0 &&
		found[0]->nbobjs > 0 && found[0]->objs[0]->type == HWLOC_OBJ_PU)
		return found[0];
	n = MATRICES_MAX;
	head->scale = PS_PER_NS;
	if (hwloc_distances_get_by_type(h, HWLOC_OBJ_PU, &n, found,
		    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0)
		return NULL;
	return n > 0 ? found[0] : NULL;
}

static int
send_matrix(
	hwloc_topology_t h, const struct job *job, struct strbuf *out, struct err *e)
{
	struct head head = {0};
	const struct hwloc_distances_s *d = find_matrix(h, &head);

	if (d == NULL || d->nbobjs < 2)
		return err_set(
			e, -ENOENT, job->name, 0, "no latencies between CPUs in it");
	if (d->nbobjs > CPUSET_CAP)
		return err_set(e, -ERANGE, job->name, 0,
			"latencies of %u CPUs, at most %u are known", d->nbobjs,
			CPUSET_CAP);
	head.n = d->nbobjs;
	strbuf_add(out, (const char *)&head, sizeof(head));
	for (unsigned int i = 0; i < d->nbobjs; i++) {
		uint64_t cpu = d->objs[i]->os_index;

		strbuf_add(out, (const char *)&cpu, sizeof(cpu));
	}
	strbuf_add(out, (const char *)d->values,
		(size_t)d->nbobjs * d->nbobjs * sizeof(*d->values));
	return 0;
}

/* In the child, which ends after it: nothing is given back. */
static int
import(const void *arg, struct strbuf *out, struct err *e)
{
	const struct job *job = arg;
	hwloc_topology_t h;
	int r = hwscan_check_xml(job->text, job->name, e);

	if (r < 0)
		return r;
	hwscan_set_environment(NULL);
	if (hwloc_topology_init(&h) < 0 ||
		hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) <
			0 ||
		hwloc_topology_set_xmlbuffer(h, job->text, (int)strlen(job->text) + 1) <
			0 ||
		hwloc_topology_load(h) < 0)
		return err_set(e, -EINVAL, job->name, 0, "hwloc cannot read this XML");
	return send_matrix(h, job, out, e);
}

static uint64_t
word_at(const struct strbuf *b, size_t index)
{
	uint64_t word;

	memcpy(&word, b->s + index * sizeof(word), sizeof(word));
	return word;
}

static int
take_cpus(const struct strbuf *b, size_t n, struct cpuset *cpus, const char *name,
	struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t cpu = word_at(b, 2 + i);

		if (cpu >= CPUSET_CAP || cpuset_has(cpus, (unsigned int)cpu))
			return err_set(e, -ERANGE, name, 0,
				"CPU %llu: there twice, or above %u",
				(unsigned long long)cpu, CPUSET_CAP - 1);
		cpuset_add(cpus, (unsigned int)cpu);
	}
	return 0;
}

/* Value @i, @j of the answer into its cell; the lower of two halves stays. */
static int
take_value(const struct strbuf *b, const struct head *head, struct matrix *m, size_t i,
	size_t j)
{
	uint64_t value = word_at(b, 2 + head->n + i * head->n + j);
	int row = matrix_index(m, (unsigned int)word_at(b, 2 + i));
	int column = matrix_index(m, (unsigned int)word_at(b, 2 + j));
	struct matrix_cell *cell;
	float ns;

	if (i == j || value == 0)
		return 0;
	if (value > PS_MAX / head->scale)
		return -EINVAL;
	ns = (float)((double)(value * head->scale) / PS_PER_NS);
	cell = matrix_at(m, (unsigned int)row, (unsigned int)column);
	if (cell->ns > 0 && cell->ns <= ns)
		return 0;
	*cell = (struct matrix_cell){.ns = ns, .visits = 1, .confidence_pct = 100};
	return 0;
}

static int
take_matrix(
	const struct strbuf *b, const char *name, struct matrix **out, struct err *e)
{
	struct cpuset cpus = CPUSET_NONE;
	struct head head;
	struct matrix *m;
	int r;

	if (b->len < sizeof(head))
		return err_set(e, -EINVAL, name, 0, "hwloc's answer is damaged");
	head = (struct head){word_at(b, 0), word_at(b, 1)};
	if (head.n > CPUSET_CAP || (head.scale != 1 && head.scale != PS_PER_NS) ||
		b->len != sizeof(head) + (1 + head.n) * head.n * sizeof(uint64_t))
		return err_set(e, -EINVAL, name, 0, "hwloc's answer is damaged");
	r = take_cpus(b, head.n, &cpus, name, e);
	if (r < 0)
		return r;
	m = matrix_new(&cpus);
	for (size_t i = 0; r == 0 && i < head.n; i++) {
		for (size_t j = 0; r == 0 && j < head.n; j++)
			r = take_value(b, &head, m, i, j);
	}
	if (r < 0) {
		matrix_free(m);
		return err_set(e, r, name, 0,
			"its distances between CPUs are no latencies in nanoseconds");
	}
	*out = m;
	return 0;
}

int
hwimport_xml(const char *text, const char *name, struct matrix **out, struct err *e)
{
	const struct job job = {text, name};
	struct strbuf answer = {0};
	int r = hwchild_run(import, &job, name, HWEXPORT_BYTES_MAX, &answer, e);

	if (r == 0)
		r = take_matrix(&answer, name, out, e);
	strbuf_fini(&answer);
	return r;
}
