// SPDX-License-Identifier: MIT
/*
 * hwloc's facts through its child process: arrays one after the other, in the form of
 * this program.
 */
#include "config.h"

#include "host/hwtree.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/hwchild.h"
#include "host/hwscan.h"

/* What the child is to do. @xml NULL: read @root. */
struct job {
	const char *root;
	const char *xml;
	const char *name;
};

/* Ahead of the arrays of the facts. */
struct counts {
	unsigned int n_cpus;
	unsigned int n_nodes;
	unsigned int has_distances;
};

#define ANSWER_MAX                                                            \
	(sizeof(struct counts) + CPUSET_CAP * sizeof(struct topo_cpu_facts) + \
		TOPO_NODE_ID_CAP * (sizeof(struct topo_node_facts) +          \
					   TOPO_NODE_ID_CAP * sizeof(unsigned int)))

static void
add(struct strbuf *out, const void *bytes, size_t len)
{
	strbuf_add(out, bytes, len);
}

static int
scan(const void *arg, struct strbuf *out, struct err *e)
{
	const struct job *job = arg;
	struct topo_facts f = {0};
	struct counts n;
	int r;

	r = job->xml != NULL ? hwscan_parse_xml(job->xml, job->name, &f, e)
			     : hwscan_read(job->root, &f, e);
	if (r < 0)
		return r;
	n = (struct counts){f.n_cpus, f.n_nodes, f.distances != NULL};
	add(out, &n, sizeof(n));
	add(out, f.cpus, f.n_cpus * sizeof(*f.cpus));
	add(out, f.nodes, f.n_nodes * sizeof(*f.nodes));
	if (n.has_distances)
		add(out, f.distances,
			(size_t)f.n_nodes * f.n_nodes * sizeof(*f.distances));
	topo_facts_fini(&f);
	return 0;
}

/* The next array of the answer, copied; NULL when it is cut short. */
static void *
take(struct strbuf *b, size_t n, size_t size)
{
	void *items;

	if (b->len < n * size)
		return NULL;
	items = xcalloc(n, size);
	if (n > 0)
		memcpy(items, b->s, n * size);
	strbuf_drop(b, n * size);
	return items;
}

static int
take_facts(struct strbuf *b, struct topo_facts *f)
{
	auto_free struct counts *n = take(b, 1, sizeof(*n));

	if (n == NULL || n->n_cpus > CPUSET_CAP || n->n_nodes > TOPO_NODE_ID_CAP)
		return -ERANGE;
	f->cpus = take(b, n->n_cpus, sizeof(*f->cpus));
	f->n_cpus = n->n_cpus;
	f->nodes = take(b, n->n_nodes, sizeof(*f->nodes));
	f->n_nodes = n->n_nodes;
	if (n->has_distances)
		f->distances =
			take(b, (size_t)n->n_nodes * n->n_nodes, sizeof(*f->distances));
	if (f->cpus == NULL || f->nodes == NULL || b->len > 0 ||
		(n->has_distances && f->distances == NULL))
		return -ERANGE;
	return 0;
}

static int
run(const struct job *job, struct topo_facts *out, struct err *e)
{
	struct strbuf answer = {0};
	struct topo_facts f = {0};
	int r = hwchild_run(scan, job, job->name, ANSWER_MAX, &answer, e);

	if (r < 0)
		return r;
	r = take_facts(&answer, &f);
	strbuf_fini(&answer);
	if (r < 0) {
		topo_facts_fini(&f);
		return err_set(e, r, job->name, 0, "hwloc's answer is damaged");
	}
	*out = f;
	return 0;
}

int
hwtree_read(const char *root, struct topo_facts *out, struct err *e)
{
	const struct job job = {root, NULL, root != NULL ? root : "this machine"};

	return run(&job, out, e);
}

int
hwtree_parse_xml(
	const char *text, const char *name, struct topo_facts *out, struct err *e)
{
	const struct job job = {NULL, text, name};

	return run(&job, out, e);
}
