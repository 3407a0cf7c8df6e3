// SPDX-License-Identifier: MIT
/*
 * The replies about memory decoded, as strictly as those about threads, and back ends
 * assigned to guest nodes. Pure.
 */
#include "config.h"

#include "qmp/memdevs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

/* 4 PiB: more is a mistake, and MEMDEVS_MAX of them still add up in 64 bits. */
#define SIZE_MAX_BYTES (UINT64_C(1) << 52)
/* How QMP names what it calls by its id elsewhere. */
#define OBJECTS "/objects/"
#define NODE_NAME "ram-node"

static int
bad(struct err *e, int r, const char *query, size_t i, const char *key)
{
	return err_set(e, r == -ENOENT ? -EINVAL : r, NULL, 0, "%s: item %zu: %s: %s",
		query, i, key,
		r == -ENOENT   ? "missing"
		: r == -ERANGE ? "out of range"
			       : "of a wrong type");
}

/* Reads one item of a list; @key names the member that is wrong. */
typedef int get_item(const json_t *item, void *out, const char **key);

/* The items of @query's reply as a new array of @size bytes each. */
static int
read_list(const json_t *ret, const char *query, get_item *get, size_t size, void **list,
	struct err *e)
{
	auto_free char *items = NULL;
	const char *key;
	size_t n;

	if (!json_is_array(ret))
		return err_set(e, -EINVAL, NULL, 0, "%s: not a list", query);
	n = json_array_size(ret);
	if (n > MEMDEVS_MAX)
		return err_set(e, -E2BIG, NULL, 0, "%s: too many items", query);
	items = xcalloc(n, size);
	for (size_t i = 0; i < n; i++) {
		int r = get(json_array_get(ret, i), items + i * size, &key);

		if (r < 0)
			return bad(e, r, query, i, key);
	}
	*list = take_ptr(&items);
	return (int)n;
}

static void
take_name(char out[MEMDEVS_NAME_MAX], const char *name)
{
	str_escape(name, strlen(name), out, MEMDEVS_NAME_MAX);
}

static void
add_node(struct memdevs_nodes *nodes, unsigned int node)
{
	nodes->bits[node / 64] |= UINT64_C(1) << node % 64;
}

bool
memdevs_has_node(const struct memdevs_nodes *nodes, unsigned int node)
{
	return node < MEMDEVS_HOST_NODES &&
	       (nodes->bits[node / 64] >> node % 64 & 1) != 0;
}

static int
get_host_nodes(const json_t *item, struct memdev *m)
{
	json_t *list;
	int r = json_get_array(item, "host-nodes", &list);

	if (r < 0)
		return r;
	if (json_array_size(list) > MEMDEVS_HOST_NODES)
		return -ERANGE;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *number = json_array_get(list, i);
		json_int_t node = json_integer_value(number);

		if (!json_is_integer(number))
			return -EINVAL;
		if (node < 0 || node >= (json_int_t)MEMDEVS_HOST_NODES)
			return -ERANGE;
		if (m->bound)
			add_node(&m->host_nodes, (unsigned int)node);
	}
	m->bound = m->bound && json_array_size(list) > 0;
	return 0;
}

static int
get_memdev(const json_t *item, void *out, const char **key)
{
	struct memdev *m = out;
	const char *id;
	const char *policy;
	int r;

	*key = "id";
	r = json_get_string(item, "id", &id);
	if (r < 0 && r != -ENOENT) /* it is optional */
		return r;
	take_name(m->id, r == 0 ? id : "");
	*key = "size";
	r = json_get_uint(item, "size", SIZE_MAX_BYTES, &m->size_bytes);
	if (r < 0)
		return r;
	*key = "policy";
	r = json_get_string(item, "policy", &policy);
	if (r < 0)
		return r;
	m->bound = strcmp(policy, "bind") == 0 || strcmp(policy, "interleave") == 0;
	*key = "host-nodes";
	return get_host_nodes(item, m);
}

int
memdevs_read(struct memdevs *m, const json_t *ret, struct err *e)
{
	void *list = NULL;
	int n = read_list(ret, "query-memdev", get_memdev, sizeof(*m->list), &list, e);

	if (n < 0)
		return n;
	free(m->list);
	m->list = list;
	m->n = (unsigned int)n;
	m->known = true;
	return 0;
}

/* Devices of other types have other members, or none of these. */
static int
get_dimm(const json_t *item, void *out, const char **key)
{
	struct memdevs_dimm *d = out;
	const char *memdev = "";
	json_t *data;
	uint64_t node;
	int hotplugged = 0;
	int r;

	*key = "data";
	r = json_get_object(item, "data", &data);
	if (r < 0)
		return r;
	*key = "memdev";
	r = json_get_string(data, "memdev", &memdev);
	if (r < 0 && r != -ENOENT)
		return r;
	if (str_has_prefix(memdev, OBJECTS))
		memdev += strlen(OBJECTS);
	take_name(d->memdev, memdev);
	*key = "hotplugged";
	r = json_get_bool(data, "hotplugged", &hotplugged);
	if (r < 0 && r != -ENOENT)
		return r;
	d->hotplugged = hotplugged != 0;
	*key = "node";
	r = json_get_uint(data, "node", MEMDEVS_HOST_NODES - 1, &node);
	if (r < 0 && r != -ENOENT)
		return r;
	d->node = r == 0 ? (int)node : -1;
	return 0;
}

int
memdevs_read_dimms(struct memdevs *m, const json_t *ret, struct err *e)
{
	void *dimms = NULL;
	int n = read_list(
		ret, "query-memory-devices", get_dimm, sizeof(*m->dimms), &dimms, e);

	if (n < 0)
		return n;
	free(m->dimms);
	m->dimms = dimms;
	m->n_dimms = (unsigned int)n;
	return 0;
}

struct memdevs
memdevs_copy(const struct memdevs *m)
{
	struct memdevs copy = *m;

	copy.list = xcalloc(m->n, sizeof(*copy.list));
	copy.dimms = xcalloc(m->n_dimms, sizeof(*copy.dimms));
	for (unsigned int i = 0; i < m->n; i++)
		copy.list[i] = m->list[i];
	for (unsigned int i = 0; i < m->n_dimms; i++)
		copy.dimms[i] = m->dimms[i];
	return copy;
}

void
memdevs_fini(struct memdevs *m)
{
	free(m->list);
	free(m->dimms);
	*m = (struct memdevs){.known = false};
}

uint64_t
memdevs_size(const struct memdevs *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->n; i++)
		sum += m->list[i].size_bytes;
	return sum;
}

static const struct memdevs_dimm *
find_dimm(const struct memdevs *m, const struct memdev *dev)
{
	for (unsigned int i = 0; i < m->n_dimms; i++) {
		if (dev->id[0] != '\0' && strcmp(m->dimms[i].memdev, dev->id) == 0)
			return &m->dimms[i];
	}
	return NULL;
}

/* The guest node that its name tells, or -1. */
static int
node_by_name(const struct memdev *dev)
{
	uint64_t node;

	if (!str_has_prefix(dev->id, NODE_NAME) ||
		str_parse_uint(
			dev->id + strlen(NODE_NAME), MEMDEVS_HOST_NODES - 1, &node) < 0)
		return -1;
	return (int)node;
}

/* Back ends that are no DIMM's have such names, all of them. */
static bool
has_names(const struct memdevs *m)
{
	for (unsigned int i = 0; i < m->n; i++) {
		if (find_dimm(m, &m->list[i]) == NULL && node_by_name(&m->list[i]) < 0)
			return false;
	}
	return true;
}

static bool
same_nodes(const struct memdevs_nodes *a, const struct memdevs_nodes *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

/* All back ends but DIMMs' are bound to the same nodes. */
static bool
all_alike(const struct memdevs *m)
{
	const struct memdev *first = NULL;

	for (unsigned int i = 0; i < m->n; i++) {
		const struct memdev *dev = &m->list[i];

		if (find_dimm(m, dev) != NULL)
			continue;
		if (first == NULL)
			first = dev;
		if (!dev->bound || !same_nodes(&first->host_nodes, &dev->host_nodes))
			return false;
	}
	return first != NULL;
}

static void
add_to_node(struct memdevs_of_node *out, const struct memdev *dev, bool dimm)
{
	if (dev->size_bytes == 0)
		return; /* virtio-mem that has nothing plugged */
	if (!dimm) {
		out->bound = dev->bound && (out->size_bytes == 0 || out->bound);
		out->size_bytes += dev->size_bytes;
	} else if (!dev->bound) {
		out->stray_dimms++;
	}
	for (unsigned int i = 0; dev->bound && i < ARRAY_LEN(dev->host_nodes.bits); i++)
		out->host_nodes.bits[i] |= dev->host_nodes.bits[i];
}

struct memdevs_of_node
memdevs_by_node(const struct memdevs *m, unsigned int node, unsigned int n_nodes)
{
	struct memdevs_of_node out = {.size_bytes = 0};
	bool single = n_nodes <= 1;
	bool named = has_names(m);
	bool alike = all_alike(m);

	for (unsigned int i = 0; i < m->n; i++) {
		const struct memdev *dev = &m->list[i];
		const struct memdevs_dimm *dimm = find_dimm(m, dev);
		int at = dimm != NULL ? dimm->node : node_by_name(dev);

		if (single || at == (int)node || (dimm == NULL && !named && alike))
			add_to_node(&out, dev, dimm != NULL);
	}
	/* DIMMs that are not bound beside memory that is not: as all the rest */
	if (!out.bound) {
		out.host_nodes = (struct memdevs_nodes){{0}};
		out.stray_dimms = 0;
	}
	return out;
}
