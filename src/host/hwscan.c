// SPDX-License-Identifier: MIT
/*
 * The glue to hwloc 2.x: load, walk the PUs once, and let go. Every number that comes
 * out is checked against our caps before anything is allocated by it.
 */
#include "config.h"

#include "host/hwscan.h"

#include <errno.h>
#include <hwloc.h>
#include <hwloc/distances.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

/* Objects in objects: a real machine has about ten levels. Why a cap: hwloc calls
 * itself for each. */
#define XML_DEPTH_MAX 64u

static void
cleanup_topology(hwloc_topology_t *h)
{
	if (*h != NULL)
		hwloc_topology_destroy(*h);
}

#define auto_topology __attribute__((cleanup(cleanup_topology)))

/* Lowest CPU of the group of this type around a PU: the key that its members share. */
static int64_t
group_key(const struct hwloc_obj *group)
{
	return group != NULL ? hwloc_bitmap_first(group->cpuset) : TOPO_NONE;
}

static uint64_t
cache_kib(const struct hwloc_obj *cache)
{
	return cache != NULL ? cache->attr->cache.size >> 10 : 0;
}

/* The nearest node: of those with this CPU the one with the fewest CPUs, and of equals
 * the first, which is where hwloc puts the node that memory comes from by default. */
static int
node_of(hwloc_topology_t h, unsigned int cpu)
{
	hwloc_obj_t node = NULL;
	int best = TOPO_NONE;
	int best_weight = 0;

	while ((node = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, node)) !=
		NULL) {
		int weight = hwloc_bitmap_weight(node->cpuset);

		if (!hwloc_bitmap_isset(node->cpuset, cpu))
			continue;
		if (best != TOPO_NONE && weight >= best_weight)
			continue;
		best = (int)node->os_index;
		best_weight = weight;
	}
	return best;
}

/* Performance and efficiency cores only where hwloc ranks the kinds: the highest rank
 * is the one, all others the other. */
static enum topo_kind
kind_of(hwloc_topology_t h, hwloc_obj_t pu, int n_kinds)
{
	int kind = hwloc_cpukinds_get_by_cpuset(h, pu->cpuset, 0);
	int rank = -1;

	if (kind < 0 || n_kinds < 2 ||
		hwloc_cpukinds_get_info(
			h, (unsigned int)kind, NULL, &rank, NULL, NULL, 0) < 0 ||
		rank < 0)
		return TOPO_KIND_UNKNOWN;
	return rank == n_kinds - 1 ? TOPO_KIND_PERFORMANCE : TOPO_KIND_EFFICIENCY;
}

static int
read_pus(hwloc_topology_t h, const char *name, struct topo_facts *f, struct err *e)
{
	int n = hwloc_get_nbobjs_by_type(h, HWLOC_OBJ_PU);
	int n_kinds = hwloc_cpukinds_get_nr(h, 0);
	hwloc_obj_t pu = NULL;

	if (n <= 0)
		return err_set(e, -EINVAL, name, 0, "hwloc finds no CPU in it");
	if (n > (int)CPUSET_CAP)
		return err_set(e, -ERANGE, name, 0, "%d CPUs, at most %u are known", n,
			CPUSET_CAP);
	f->cpus = xcalloc((size_t)n, sizeof(*f->cpus));
	while ((pu = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_PU, pu)) != NULL) {
		struct topo_cpu_facts *c = &f->cpus[f->n_cpus++];
		hwloc_obj_t l2 =
			hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_L2CACHE, pu);
		hwloc_obj_t l3 =
			hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_L3CACHE, pu);
		hwloc_obj_t package =
			hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_PACKAGE, pu);

		c->cpu = pu->os_index;
		c->core_key = group_key(
			hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_CORE, pu));
		c->l2_key = group_key(l2);
		c->l2_kib = cache_kib(l2);
		c->l3_key = group_key(l3);
		c->l3_kib = cache_kib(l3);
		c->package_id = TOPO_NONE;
		if (package != NULL && package->os_index <= INT32_MAX)
			c->package_id = package->os_index;
		c->node_id = node_of(h, pu->os_index);
		c->kind = kind_of(h, pu, n_kinds);
	}
	return 0;
}

static int
read_nodes(hwloc_topology_t h, const char *name, struct topo_facts *f, struct err *e)
{
	int n = hwloc_get_nbobjs_by_type(h, HWLOC_OBJ_NUMANODE);
	hwloc_obj_t node = NULL;

	if (n <= 0)
		return 0;
	if (n > (int)TOPO_NODE_ID_CAP)
		return err_set(e, -ERANGE, name, 0, "%d nodes, at most %u are known", n,
			TOPO_NODE_ID_CAP);
	f->nodes = xcalloc((size_t)n, sizeof(*f->nodes));
	while ((node = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, node)) !=
		NULL) {
		struct topo_node_facts *out = &f->nodes[f->n_nodes++];

		out->id = node->os_index;
		out->mem_kib = node->attr->numanode.local_memory >> 10;
		out->mem_known = out->mem_kib > 0;
		out->free_kib = out->mem_kib;
	}
	return 0;
}

/* Where the nodes are in the matrix; false when one is not. */
static bool
find_positions(
	const struct hwloc_distances_s *d, const struct topo_facts *f, unsigned int *at)
{
	for (unsigned int i = 0; i < f->n_nodes; i++) {
		at[i] = 0;
		while (at[i] < d->nbobjs && d->objs[at[i]]->os_index != f->nodes[i].id)
			at[i]++;
		if (at[i] == d->nbobjs)
			return false;
	}
	return true;
}

/* In the order of the nodes; unknown unless it is about all of them. */
static void
read_distances(hwloc_topology_t h, struct topo_facts *f)
{
	size_t n = f->n_nodes;
	auto_free unsigned int *at = xcalloc(n, sizeof(*at));
	auto_free unsigned int *rows = xcalloc(n * n, sizeof(*rows));
	struct hwloc_distances_s *d = NULL;
	unsigned int nr = 1;
	bool known;

	if (hwloc_distances_get_by_name(h, "NUMALatency", &nr, &d, 0) < 0 || nr == 0)
		return;
	known = find_positions(d, f, at);
	for (size_t i = 0; known && i < n * n; i++) {
		hwloc_uint64_t v = d->values[(size_t)at[i / n] * d->nbobjs + at[i % n]];

		known = v <= UINT16_MAX;
		rows[i] = (unsigned int)v;
	}
	if (known)
		f->distances = take_ptr(&rows);
	hwloc_distances_release(h, d);
}

static int
read_facts(hwloc_topology_t h, const char *name, struct topo_facts *out, struct err *e)
{
	struct topo_facts f = {0};
	int r;

	r = read_pus(h, name, &f, e);
	if (r == 0)
		r = read_nodes(h, name, &f, e);
	if (r < 0) {
		topo_facts_fini(&f);
		return r;
	}
	read_distances(h, &f);
	*out = f;
	return 0;
}

static void
set(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		abort(); /* out of memory */
}

/* The user's settings for hwloc would change what is read. Ours: only the kernel's
 * files (hwloc otherwise mixes this machine into a foreign tree, falls back to it, or
 * visits every CPU to ask it), no plugins (they load GPU libraries), nothing on stderr.
 */
void
hwscan_set_environment(const char *root)
{
	size_t i = 0;

	while (environ != NULL && environ[i] != NULL) {
		auto_free char *name = xmemdupz(environ[i], strcspn(environ[i], "="));

		/* taking one out moves the next one here */
		if (!str_has_prefix(name, "HWLOC_") || unsetenv(name) < 0)
			i++;
	}
	set("HWLOC_COMPONENTS", "linux,stop");
	set("HWLOC_PLUGINS_PATH", "/nonexistent");
	set("HWLOC_HIDE_ERRORS", "2");
	if (root != NULL)
		set("HWLOC_FSROOT", root);
}

/* A topology that holds what the model asks for and nothing else. */
static int
prepare(hwloc_topology_t *h)
{
	static const hwloc_obj_type_t wanted[] = {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_CORE,
		HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};

	if (hwloc_topology_init(h) < 0) {
		*h = NULL;
		return -1;
	}
	if (hwloc_topology_set_flags(*h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
		hwloc_topology_set_all_types_filter(*h, HWLOC_TYPE_FILTER_KEEP_NONE) <
			0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (hwloc_topology_set_type_filter(
			    *h, wanted[i], HWLOC_TYPE_FILTER_KEEP_ALL) < 0)
			return -1;
	}
	/* a node hangs from a group where nothing else has just its CPUs */
	return hwloc_topology_set_type_filter(
		*h, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
}

int
hwscan_read(const char *root, struct topo_facts *out, struct err *e)
{
	auto_topology hwloc_topology_t h = NULL;
	const char *name = root != NULL ? root : "this machine";
	int r;

	hwscan_set_environment(root);
	r = prepare(&h);
	if (r == 0)
		r = hwloc_topology_load(h);
	if (r < 0)
		return err_set(e, -EINVAL, name, 0,
			"hwloc finds no CPU topology that it understands");
	if ((hwloc_topology_is_thissystem(h) != 0) != (root == NULL))
		return err_set(
			e, -EINVAL, name, 0, "hwloc describes another machine instead");
	return read_facts(h, name, out, e);
}

/* hwloc takes some cut texts for smaller machines. */
int
hwscan_check_xml(const char *text, const char *name, struct err *e)
{
	static const char end[] = "</topology>";
	size_t len = strlen(text);
	unsigned int depth = 0;

	if (strstr(text, "<topology") == NULL)
		return err_set(e, -EINVAL, name, 0, "not an XML file of hwloc");
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	if (len < strlen(end) ||
		memcmp(text + len - strlen(end), end, strlen(end)) != 0)
		return err_set(e, -EINVAL, name, 0, "ends before %s", end);
	for (const char *p = text; (p = strchr(p, '<')) != NULL; p++) {
		const char *close = strchr(p, '>');

		if (p[1] == '?' || p[1] == '!' || close == NULL)
			continue;
		if (p[1] != '/' && close[-1] != '/')
			depth++;
		else if (p[1] == '/' && depth > 0)
			depth--;
		if (depth > XML_DEPTH_MAX)
			return err_set(e, -ERANGE, name, 0,
				"nested deeper than %u objects", XML_DEPTH_MAX);
	}
	return 0;
}

int
hwscan_parse_xml(
	const char *text, const char *name, struct topo_facts *out, struct err *e)
{
	auto_topology hwloc_topology_t h = NULL;
	size_t size = strlen(text) + 1;
	int r;

	r = hwscan_check_xml(text, name, e);
	if (r < 0)
		return r;
	if (size > INT32_MAX)
		return err_set(e, -ERANGE, name, 0, "%zu bytes of XML", size);
	hwscan_set_environment(NULL);
	r = prepare(&h);
	if (r == 0)
		r = hwloc_topology_set_xmlbuffer(h, text, (int)size);
	if (r == 0)
		r = hwloc_topology_load(h);
	if (r < 0)
		return err_set(e, -EINVAL, name, 0, "hwloc cannot read this XML");
	if (hwloc_topology_is_thissystem(h) != 0)
		return err_set(
			e, -EINVAL, name, 0, "hwloc describes this machine instead");
	return read_facts(h, name, out, e);
}
