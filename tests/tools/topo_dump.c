// SPDX-License-Identifier: MIT
/*
 * Prints the model of a host as JSON, in the form of the expected.json files beside the
 * topologies, with what those leave out (kinds, L2 groups, isolated CPUs) added.
 *
 *   topo_dump [DIR|XML]          without an argument this machine
 *   topo_dump --times [DIR|XML]  milliseconds of each step instead
 *
 * Exit status 1: the topology is refused, with the reason on stderr.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "host/load.h"
#include "topo/ranking.h"

static json_t *
cpu_array(const struct cpuset *cpus)
{
	json_t *a = json_array();

	cpuset_foreach (cpu, cpus)
		json_array_append_new(a, json_integer((json_int_t)cpu));
	return a;
}

static json_t *
group_id(const struct topo_group *groups, int index)
{
	return index == TOPO_NONE ? json_null()
				  : json_integer((json_int_t)groups[index].id);
}

static json_t *
group_size(const struct topo_group *groups, int index)
{
	return index == TOPO_NONE ? json_null()
				  : json_integer((json_int_t)groups[index].size_kib);
}

static json_t *
dump_pu(const struct topo *t, const struct topo_pu *pu)
{
	static const char *const kinds[] = {"", "P", "E"};
	json_t *node = pu->node == TOPO_NONE
			       ? json_null()
			       : json_integer((json_int_t)t->nodes[pu->node].id);

	return json_pack("{so so so so so so so ss}", "core",
		group_id(t->cores, pu->core), "l2", group_id(t->l2, pu->l2), "l3",
		group_id(t->l3, pu->l3), "l2_kib", group_size(t->l2, pu->l2), "l3_kib",
		group_size(t->l3, pu->l3), "node", node, "package",
		group_id(t->packages, pu->package), "kind", kinds[pu->kind]);
}

static json_t *
dump_node(const struct topo *t, unsigned int index)
{
	const struct topo_node *node = &t->nodes[index];
	json_t *row = json_null();

	if (t->distances != NULL) {
		row = json_array();
		for (unsigned int i = 0; i < t->n_nodes; i++)
			json_array_append_new(row,
				json_integer(t->distances[index * t->n_nodes + i]));
	}
	return json_pack("{so so so so}", "cpus", cpu_array(&node->cpus), "mem_kib",
		node->mem_known ? json_integer((json_int_t)node->mem_kib) : json_null(),
		"free_kib",
		node->mem_known ? json_integer((json_int_t)node->free_kib)
				: json_null(),
		"distance", row);
}

static json_t *
dump_tiers(const struct topo *t)
{
	float *ns = lat_class_matrix(t, lat_classes_default());
	const struct lat_view lat = {ns, t->n_pus};
	struct ranking *r = ranking_from_topo(t, &lat);
	json_t *tiers = json_array();

	for (unsigned int k = 0; k < r->n_tiers; k++) {
		json_t *domains = json_array();

		for (unsigned int i = 0; i < r->tiers[k].n_domains; i++) {
			char text[CPUSET_TEXT_MAX];

			(void)cpuset_format(
				&r->domains[r->tiers[k].first_domain + i].cpus, text,
				sizeof(text));
			json_array_append_new(domains, json_string(text));
		}
		json_array_append_new(tiers,
			json_pack("{ss sf so}", "name", r->tiers[k].name, "latency_ns",
				(double)r->tiers[k].latency_ns, "domains", domains));
	}
	ranking_free(r);
	free(ns);
	return tiers;
}

static json_t *
dump(const struct topo *t)
{
	json_t *cpus = json_object();
	json_t *nodes = json_object();
	unsigned int with_cpus = 0;
	json_t *summary;
	char key[16];

	for (unsigned int i = 0; i < t->n_pus; i++) {
		(void)snprintf(key, sizeof(key), "%u", t->pus[i].cpu);
		json_object_set_new(cpus, key, dump_pu(t, &t->pus[i]));
	}
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		with_cpus += cpuset_empty(&t->nodes[i].cpus) ? 0 : 1;
		(void)snprintf(key, sizeof(key), "%u", t->nodes[i].id);
		json_object_set_new(nodes, key, dump_node(t, i));
	}
	summary = json_pack("{si si si si si si}", "cpus", (int)t->n_pus, "cores",
		(int)t->n_cores, "l3_groups", (int)t->n_l3, "packages",
		(int)t->n_packages, "nodes", (int)t->n_nodes, "nodes_with_cpus",
		(int)with_cpus);
	return json_pack("{so so so so so so}", "summary", summary, "online",
		cpu_array(&t->online), "isolated", cpu_array(&t->isolated), "cpus",
		cpus, "nodes", nodes, "tiers", dump_tiers(t));
}

static double
ms_since(uint64_t then)
{
	return (double)(clock_now_us(clock_system()) - then) / 1000.0;
}

static int
print_times(const char *path, struct err *e)
{
	uint64_t start = clock_now_us(clock_system());
	struct lat_view lat;
	struct topo *t;
	float *ns;
	int r;

	r = host_load(path, &t, e);
	if (r < 0)
		return r;
	printf("load %.1f ms", ms_since(start));
	start = clock_now_us(clock_system());
	ns = lat_class_matrix(t, lat_classes_default());
	printf(", matrix %.1f ms", ms_since(start));
	start = clock_now_us(clock_system());
	lat = (struct lat_view){ns, t->n_pus};
	ranking_free(ranking_from_topo(t, &lat));
	printf(", ranking %.1f ms, %u CPUs\n", ms_since(start), t->n_pus);
	free(ns);
	topo_free(t);
	return 0;
}

static int
print_model(const char *path, struct err *e)
{
	auto_json json_t *json = NULL;
	struct topo *t;
	int r;

	r = host_load(path, &t, e);
	if (r < 0)
		return r;
	json = dump(t);
	(void)json_dumpf(json, stdout, JSON_COMPACT);
	(void)putchar('\n');
	topo_free(t);
	return 0;
}

int
main(int argc, char **argv)
{
	int times = argc > 1 && strcmp(argv[1], "--times") == 0 ? 1 : 0;
	const char *path = argc > 1 + times ? argv[1 + times] : NULL;
	struct err e = ERR_NONE;
	char text[512];
	int r;

	r = times ? print_times(path, &e) : print_model(path, &e);
	if (r < 0) {
		(void)fprintf(
			stderr, "topo_dump: %s\n", err_format(&e, text, sizeof(text)));
		return 1;
	}
	return 0;
}
