// SPDX-License-Identifier: MIT
/*
 * The groups of a host's CPUs as JSON and back. Who reads takes the groups apart again:
 * facts of each CPU, of which the model is built, so that a reply that contradicts
 * itself is refused there.
 */
#include "config.h"

#include "ctl/topology.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xalloc.h"

/* ---- as sent ---- */

static json_t *
set_json(const struct cpuset *cpus)
{
	char text[CPUSET_TEXT_MAX];

	return json_string(cpuset_format(cpus, text, sizeof(text)));
}

static json_t *
size_json(uint64_t kib, bool known)
{
	return known ? json_integer((json_int_t)kib) : json_null();
}

static json_t *
cores_json(const struct topo *t)
{
	json_t *cores = json_array();

	for (unsigned int i = 0; i < t->n_cores; i++)
		json_array_append_new(
			cores, json_pack("{s:o}", "cpus", set_json(&t->cores[i].cpus)));
	return cores;
}

static void
add_caches(json_t *caches, const struct topo_group *groups, unsigned int n, int level)
{
	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(caches,
			json_pack("{s:o, s:i, s:o}", "cpus", set_json(&groups[i].cpus),
				"level", level, "size_kib",
				size_json(groups[i].size_kib, groups[i].size_kib > 0)));
}

static json_t *
caches_json(const struct topo *t)
{
	json_t *caches = json_array();

	add_caches(caches, t->l2, t->n_l2, 2);
	add_caches(caches, t->l3, t->n_l3, 3);
	return caches;
}

static json_t *
distances_json(const struct topo *t, unsigned int node)
{
	json_t *row = json_array();

	for (unsigned int i = 0; t->distances != NULL && i < t->n_nodes; i++)
		json_array_append_new(
			row, json_integer(t->distances[node * t->n_nodes + i]));
	return row;
}

static json_t *
nodes_json(const struct topo *t)
{
	json_t *nodes = json_array();

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];

		json_array_append_new(nodes,
			json_pack("{s:i, s:o, s:o, s:o, s:o}", "node", (int)n->id,
				"cpus", set_json(&n->cpus), "memory_kib",
				size_json(n->mem_kib, n->mem_known), "free_kib",
				size_json(n->free_kib, n->mem_known), "distances",
				distances_json(t, i)));
	}
	return nodes;
}

static json_t *
packages_json(const struct topo *t)
{
	json_t *packages = json_array();

	for (unsigned int i = 0; i < t->n_packages; i++)
		json_array_append_new(packages,
			json_pack("{s:i, s:o}", "package", (int)t->packages[i].id,
				"cpus", set_json(&t->packages[i].cpus)));
	return packages;
}

json_t *
ctl_topology_json(const struct topo *t, const struct cpuset *reserved)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "online",
		set_json(&t->online), "cores", cores_json(t), "caches", caches_json(t),
		"nodes", nodes_json(t), "packages", packages_json(t), "reserved",
		set_json(reserved), "isolated", set_json(&t->isolated), "offline",
		set_json(&t->offline));
}

/* ---- as read ---- */

struct reading {
	const json_t *reply;
	struct topo_facts facts;
	struct cpuset online;
	int *at; /* CPU number -> index into facts.cpus */
	struct err *e;
};

static int
refuse(const struct reading *r, const char *what)
{
	return err_set(
		r->e, -EPROTO, NULL, 0, "the daemon's topology is damaged: %s", what);
}

static int
read_set(
	const struct reading *r, const json_t *obj, const char *key, struct cpuset *out)
{
	const char *text;

	if (json_get_string(obj, key, &text) < 0 || cpuset_parse(text, out) < 0)
		return refuse(r, key);
	return 0;
}

/* Older daemons do not tell. */
static int
read_offline(struct reading *r)
{
	if (json_object_get(r->reply, "offline") == NULL)
		return 0;
	return read_set(r, r->reply, "offline", &r->facts.offline);
}

static int
read_online(struct reading *r)
{
	struct topo_facts *f = &r->facts;

	if (read_set(r, r->reply, "online", &r->online) < 0)
		return -EPROTO;
	f->cpus = xcalloc(cpuset_count(&r->online), sizeof(*f->cpus));
	r->at = xcalloc(CPUSET_CAP, sizeof(*r->at));
	cpuset_foreach (cpu, &r->online) {
		r->at[cpu] = (int)f->n_cpus;
		f->cpus[f->n_cpus++] = (struct topo_cpu_facts){.cpu = cpu,
			.core_key = TOPO_NONE,
			.l2_key = TOPO_NONE,
			.l3_key = TOPO_NONE,
			.package_id = TOPO_NONE,
			.node_id = TOPO_NONE};
	}
	return 0;
}

/* Where a CPU's group is noted: all groups of one kind in the same member. */
typedef int64_t *slot_of(struct topo_cpu_facts *c);

static int64_t *
core_slot(struct topo_cpu_facts *c)
{
	return &c->core_key;
}

static int64_t *
l2_slot(struct topo_cpu_facts *c)
{
	return &c->l2_key;
}

static int64_t *
l3_slot(struct topo_cpu_facts *c)
{
	return &c->l3_key;
}

static int64_t *
package_slot(struct topo_cpu_facts *c)
{
	return &c->package_id;
}

/* The CPUs of a group, none of which has one of that kind yet. */
static int
read_group(struct reading *r, const json_t *obj, slot_of *slot, int64_t key,
	struct cpuset *out)
{
	struct cpuset cpus;

	if (read_set(r, obj, "cpus", &cpus) < 0)
		return -EPROTO;
	if (!cpuset_within(&cpus, &r->online))
		return refuse(r, "a group has CPUs that are not online");
	cpuset_foreach (cpu, &cpus) {
		int64_t *mine = slot(&r->facts.cpus[r->at[cpu]]);

		if (*mine != TOPO_NONE)
			return refuse(r, "two groups have the same CPU");
		*mine = key;
	}
	if (out != NULL)
		*out = cpus;
	return 0;
}

/* A size; null leaves it as it is. */
static int
read_kib(const struct reading *r, const json_t *obj, const char *key, uint64_t *out)
{
	int error = json_get_uint(obj, key, INT64_MAX, out);

	return error < 0 && error != -ENOENT ? refuse(r, key) : 0;
}

/* Returns -EPROTO when there is no such list. */
static int
read_list(const struct reading *r, const char *key, json_t **out)
{
	return json_get_array(r->reply, key, out) < 0 ? refuse(r, key) : 0;
}

static int
read_cores(struct reading *r)
{
	json_t *list;

	if (read_list(r, "cores", &list) < 0)
		return -EPROTO;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (read_group(r, json_array_get(list, i), core_slot, (int64_t)i,
			    NULL) < 0)
			return -EPROTO;
	}
	return 0;
}

static int
read_cache(struct reading *r, const json_t *obj, size_t i)
{
	struct cpuset cpus;
	uint64_t level;
	uint64_t kib = 0;

	if (json_get_uint(obj, "level", INT_MAX, &level) < 0)
		return refuse(r, "level");
	if (read_kib(r, obj, "size_kib", &kib) < 0)
		return -EPROTO;
	if (level != 2 && level != 3)
		return 0;
	if (read_group(r, obj, level == 2 ? l2_slot : l3_slot, (int64_t)i, &cpus) < 0)
		return -EPROTO;
	cpuset_foreach (cpu, &cpus) {
		struct topo_cpu_facts *c = &r->facts.cpus[r->at[cpu]];

		*(level == 2 ? &c->l2_kib : &c->l3_kib) = kib;
	}
	return 0;
}

static int
read_caches(struct reading *r)
{
	json_t *list;

	if (read_list(r, "caches", &list) < 0)
		return -EPROTO;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (read_cache(r, json_array_get(list, i), i) < 0)
			return -EPROTO;
	}
	return 0;
}

static int
read_packages(struct reading *r)
{
	json_t *list;
	uint64_t id;

	if (read_list(r, "packages", &list) < 0)
		return -EPROTO;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *obj = json_array_get(list, i);

		if (json_get_uint(obj, "package", INT_MAX, &id) < 0)
			return refuse(r, "packages");
		if (read_group(r, obj, package_slot, (int64_t)id, NULL) < 0)
			return -EPROTO;
	}
	return 0;
}

/* A row of as many distances as there are nodes; none: they are unknown. */
static int
read_distances(struct reading *r, const json_t *obj, size_t row)
{
	struct topo_facts *f = &r->facts;
	json_t *list;

	if (json_get_array(obj, "distances", &list) < 0)
		return refuse(r, "distances");
	if (json_array_size(list) == 0 && f->distances == NULL)
		return 0;
	if (json_array_size(list) != f->n_nodes || (row > 0 && f->distances == NULL))
		return refuse(r, "distances");
	if (f->distances == NULL)
		f->distances =
			xcalloc((size_t)f->n_nodes * f->n_nodes, sizeof(*f->distances));
	for (size_t i = 0; i < f->n_nodes; i++) {
		const json_t *value = json_array_get(list, i);
		json_int_t n = json_integer_value(value);

		if (!json_is_integer(value) || n < 0 || n > INT_MAX)
			return refuse(r, "distances");
		f->distances[row * f->n_nodes + i] = (unsigned int)n;
	}
	return 0;
}

static int
read_node(struct reading *r, const json_t *obj, struct topo_node_facts *out)
{
	struct cpuset cpus;
	uint64_t id;

	if (json_get_uint(obj, "node", TOPO_NODE_ID_CAP - 1, &id) < 0)
		return refuse(r, "node");
	out->id = (unsigned int)id;
	out->mem_known = json_is_integer(json_object_get(obj, "memory_kib"));
	if (read_kib(r, obj, "memory_kib", &out->mem_kib) < 0)
		return -EPROTO;
	out->free_kib = out->mem_kib;
	if (read_kib(r, obj, "free_kib", &out->free_kib) < 0 ||
		read_set(r, obj, "cpus", &cpus) < 0)
		return -EPROTO;
	if (!cpuset_within(&cpus, &r->online))
		return refuse(r, "a node has CPUs that are not online");
	cpuset_foreach (cpu, &cpus) {
		struct topo_cpu_facts *c = &r->facts.cpus[r->at[cpu]];

		if (c->node_id != TOPO_NONE)
			return refuse(r, "two nodes have the same CPU");
		c->node_id = (int)id;
	}
	return 0;
}

static int
read_nodes(struct reading *r)
{
	struct topo_facts *f = &r->facts;
	json_t *list;

	if (read_list(r, "nodes", &list) < 0)
		return -EPROTO;
	if (json_array_size(list) > TOPO_NODE_ID_CAP)
		return refuse(r, "nodes");
	f->n_nodes = (unsigned int)json_array_size(list);
	f->nodes = xcalloc(f->n_nodes, sizeof(*f->nodes));
	for (size_t i = 0; i < f->n_nodes; i++) {
		const json_t *obj = json_array_get(list, i);

		if (read_node(r, obj, &f->nodes[i]) < 0 ||
			read_distances(r, obj, i) < 0)
			return -EPROTO;
	}
	return 0;
}

static int
read_facts(struct reading *r, struct cpuset *reserved)
{
	if (read_online(r) < 0 || read_cores(r) < 0 || read_caches(r) < 0 ||
		read_packages(r) < 0 || read_nodes(r) < 0 ||
		read_set(r, r->reply, "isolated", &r->facts.isolated) < 0 ||
		read_offline(r) < 0)
		return -EPROTO;
	return read_set(r, r->reply, "reserved", reserved);
}

int
ctl_topology_parse(
	const json_t *reply, struct topo **out, struct cpuset *reserved, struct err *e)
{
	struct reading r = {.reply = reply, .e = e};
	struct cpuset found;
	struct err why = ERR_NONE;
	int error = read_facts(&r, &found);

	if (error == 0 && topo_build(&r.facts, out, &why) < 0)
		error = refuse(&r, why.text);
	if (error == 0)
		*reserved = found;
	topo_facts_fini(&r.facts);
	free(r.at);
	return error;
}
