// SPDX-License-Identifier: MIT
/* A plan in words, a table and a picture; nothing is decided here. */
#include "config.h"

#include "cli/planprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/hostpicture.h"
#include "cli/out.h"
#include "cli/table.h"
#include "place/explain.h"
#include "place/why.h"

/* In front of what the CPUs of a VM are a part of. */
#define WITHIN "part of "

/* Lines of one tier's domains. */
#define DOMAIN_LINES_MAX 4u

/* Narrower, reasons are put below their VMs: the usual ones fit. */
#define WHY_WIDTH 60u

static const struct table_column columns[] = {
	{.name = "VM"},
	{.name = "VCPUS", .right = true},
	{.name = "MODE", .drop = 2},
	{.name = "WHERE", .min = 24, .drop = 3},
	{.name = "CPUS", .min = 12},
	{.name = "EMULATOR", .min = 8, .drop = 1},
	{.name = "WHY", .min = 16, .below = WHY_WIDTH},
};

/* ---- the picture ---- */

static void
print_picture(const struct topo *t, const struct topo *whole,
	const struct cpuset *reserved, const struct hostpicture_vm *vms, unsigned int n)
{
	struct cpuset gone = cpuset_minus(&whole->online, &t->online);
	const struct hostpicture p = {
		.topo = t,
		.reserved = *reserved,
		.offline = cpuset_or(&whole->offline, &gone),
		.n_vms = n,
		.vms = vms,
		.columns = out_columns(),
		.blocks = out_colors() && out_utf8(),
		.colours = out_colors(),
	};
	auto_free char *text = hostpicture_text(&p);

	(void)fputs(text, stdout);
}

static void
print_seats(const struct replay *r, const struct topo *whole)
{
	const struct plan_input *in = replay_input(r);
	struct hostpicture_vm *vms = xcalloc(in->n_vms, sizeof(*vms));
	size_t total = 0;
	struct cpuset *masks;

	for (unsigned int i = 0; i < in->n_vms; i++)
		total += in->vms[i].n_vcpus;
	masks = xcalloc(total, sizeof(*masks));
	total = 0;
	for (unsigned int i = 0; i < in->n_vms; i++) {
		vms[i] = (struct hostpicture_vm){
			in->vms[i].id, in->vms[i].n_vcpus, masks + total};
		for (unsigned int v = 0; v < in->vms[i].n_vcpus; v++)
			masks[total++] = replay_mask(r, i, v);
	}
	print_picture(in->topo, whole, &in->policy->reserved, vms, in->n_vms);
	free(masks);
	free(vms);
}

/* ---- the table ---- */

static char *
list_text(const struct cpuset *set)
{
	char *text = xcalloc(CPUSET_TEXT_MAX, 1);

	return cpuset_format(set, text, CPUSET_TEXT_MAX);
}

static struct cpuset
all_masks(const struct replay *r, unsigned int vm)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < replay_input(r)->vms[vm].n_vcpus; v++) {
		struct cpuset one = replay_mask(r, vm, v);

		all = cpuset_or(&all, &one);
	}
	return all;
}

/* The reason without the words that WHERE has already. */
static const char *
rest_of(const char *why, const char *where)
{
	size_t len;

	if (strncmp(where, WITHIN, strlen(WITHIN)) == 0)
		where += strlen(WITHIN);
	len = strlen(where);
	if (strncmp(why, where, len) == 0 && strncmp(why + len, ": ", 2) == 0)
		return why + len + 2;
	return why;
}

/* The name of its CPUs, or of the least that they are a part of. */
static char *
where_text(const struct topo *t, const struct cpuset *cpus)
{
	char text[WHY_DOMAIN_MAX];

	if (why_around(t, cpus, text, sizeof(text)))
		return xstrdup(text);
	return xasprintf(WITHIN "%s", text);
}

static char *
emulator_text(const struct replay *r, unsigned int vm, const struct cpuset *all)
{
	struct cpuset emulator = replay_emulator(r, vm);

	return cpuset_equal(&emulator, all) ? xstrdup("same") : list_text(&emulator);
}

/* Of an observed VM it is said of a place that it does not have. */
static char *
why_text(const struct plan_result *result, const char *where)
{
	bool only_said = result->verdict != PLAN_LEAVE && !result->apply;
	const char *why = only_said ? result->why : rest_of(result->why, where);
	auto_free char *safe = out_safe(why);

	return xasprintf("%s%s", only_said ? "would be on " : "", safe);
}

static void
add_row(struct table *t, const struct replay *r, unsigned int i)
{
	const struct plan_input *in = replay_input(r);
	const struct plan_result *result = &replay_plan(r)->results[i];
	const struct plan_vm *vm = &in->vms[i];
	struct cpuset all = all_masks(r, i);
	char *where = where_text(in->topo, &all);
	char *cells[ARRAY_LEN(columns)] = {
		xstrdup(vm->id),
		xasprintf("%u", vm->n_vcpus),
		xstrdup(place_mode_name(vm->mode)),
		where,
		list_text(&all),
		emulator_text(r, i, &all),
		why_text(result, where),
	};

	table_row(t);
	for (size_t c = 0; c < ARRAY_LEN(cells); c++)
		table_set(t, c, cells[c]);
	if (result->verdict == PLAN_LEAVE && vm->mode != PLACE_OFF)
		table_mark(t);
}

void
planprint_result(const struct replay *r, const struct topo *whole, bool heading)
{
	const struct plan_input *in = replay_input(r);
	struct table *t;

	print_seats(r, whole);
	printf("\n");
	(void)fflush(stdout); /* the table goes its own way to stdout */
	t = table_new(columns, ARRAY_LEN(columns));
	for (unsigned int i = 0; i < in->n_vms; i++)
		add_row(t, r, i);
	table_print(t, heading);
	table_free(t);
}

/* ---- reasons ---- */

/* Terms that cost nothing need no words. */
static void
print_terms(const struct plan_input *in, const struct explain_option *o)
{
	char text[PLAN_WHY_MAX];

	for (unsigned int t = 0; t < N_TERMS; t++) {
		if (o->terms.ns[t] >= 0.05 || o->terms.ns[t] <= -0.05)
			out_line(15, "  %8.1f ns  %s", o->terms.ns[t],
				explain_term_text(
					in, o, (enum term)t, text, sizeof(text)));
	}
}

/* What bounds all VMs is said once, ahead of them. */
struct told {
	unsigned int rules;  /* bits */
	struct cpuset alone; /* cores of VMs, with their names */
};

static void
print_rules(const struct plan_input *in, const struct plan_vm *vm,
	const struct explain *x, const struct told *told)
{
	unsigned int rules = x->rules & ~told->rules & ~EXPLAIN_NO_SECOND;
	char text[PLAN_WHY_MAX];

	if (cpuset_within(&x->exclusive, &told->alone))
		rules &= ~(1u << EXPLAIN_EXCLUSIVE);
	for (unsigned int rule = 0; rule < EXPLAIN_N_RULES; rule++) {
		if ((rules & (1u << rule)) != 0)
			out_line(4, "  bound by: %s",
				explain_rule_text(in, vm, x, (enum explain_rule)rule,
					text, sizeof(text)));
	}
}

static void
print_second(
	const struct plan_input *in, const struct plan_vm *vm, const struct explain *x)
{
	char text[PLAN_WHY_MAX];
	char where[WHY_DOMAIN_MAX];

	if (x->has_runner_up)
		out_line(4, "  next best: %s: %s",
			why_domain(in->topo, &x->runner_up.cpus, where, sizeof(where)),
			explain_verdict_text(x, &x->runner_up, text, sizeof(text)));
	for (unsigned int rule = 0; rule < EXPLAIN_N_RULES; rule++) {
		if ((x->rules & EXPLAIN_NO_SECOND & (1u << rule)) != 0)
			out_line(4, "  next best: none: %s",
				explain_rule_text(in, vm, x, (enum explain_rule)rule,
					text, sizeof(text)));
	}
}

static void
print_explain(const struct plan_input *in, const struct plan_vm *vm,
	const struct explain *x, const struct told *told)
{
	char text[PLAN_WHY_MAX];

	if (!cpuset_empty(&x->chosen.cpus))
		printf("  costs %.1f ns for each vCPU\n", x->chosen.total_ns);
	print_terms(in, &x->chosen);
	print_second(in, vm, x);
	print_rules(in, vm, x, told);
	if (x->has_better)
		out_line(4, "  better if %s",
			explain_better_text(in, x, text, sizeof(text)));
}

/* All CPUs of the cores that a VM has a part of. */
static struct cpuset
cores_of(const struct topo *t, const struct cpuset *cpus)
{
	struct cpuset all = *cpus;

	for (unsigned int i = 0; i < t->n_cores; i++) {
		if (cpuset_overlap(&t->cores[i].cpus, cpus))
			all = cpuset_or(&all, &t->cores[i].cpus);
	}
	return all;
}

static void
print_for_all(bool *headed, const char *text)
{
	if (!*headed)
		printf("\nfor all VMs:\n");
	*headed = true;
	out_line(4, "  %s", text);
}

/* Cores that are VMs' alone, with whose they are. */
static void
print_owners(const struct replay *r, bool *headed, struct told *told)
{
	const struct plan_input *in = replay_input(r);

	for (unsigned int i = 0; i < in->n_vms; i++) {
		const struct plan_result *result = &replay_plan(r)->results[i];
		struct cpuset cpus;

		if (!result->own || result->n_vcpus == 0)
			continue;
		cpus = cores_of(in->topo, &result->domain);
		told->alone = cpuset_or(&told->alone, &cpus);
		auto_free char *list = list_text(&cpus);
		auto_free char *text = xasprintf("CPU%s %s %s vm %s's alone",
			cpuset_count(&cpus) == 1 ? "" : "s", list,
			cpuset_count(&cpus) == 1 ? "is" : "are", in->vms[i].id);
		print_for_all(headed, text);
	}
}

/* Rules that are the same for all VMs, if they bound one. */
static struct told
print_host_rules(const struct replay *r)
{
	static const enum explain_rule rules[] = {EXPLAIN_OFFLINE, EXPLAIN_RESERVED,
		EXPLAIN_ISOLATED, EXPLAIN_CPU0, EXPLAIN_NODE_SHARE};
	const struct plan_input *in = replay_input(r);
	struct told told = {.rules = 0};
	unsigned int any = 0;
	bool headed = false;
	char text[PLAN_WHY_MAX];

	for (unsigned int i = 0; i < in->n_vms; i++) {
		if (replay_plan(r)->results[i].explain != NULL)
			any |= replay_plan(r)->results[i].explain->rules;
	}
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if ((any & (1u << rules[i])) == 0)
			continue;
		told.rules |= 1u << rules[i];
		print_for_all(
			&headed, explain_host_text(in, rules[i], text, sizeof(text)));
	}
	if ((any & (1u << EXPLAIN_EXCLUSIVE)) != 0)
		print_owners(r, &headed, &told);
	return told;
}

void
planprint_reasons(const struct replay *r)
{
	const struct plan_input *in = replay_input(r);
	struct told told = print_host_rules(r);

	for (unsigned int i = 0; i < in->n_vms; i++) {
		const struct plan_result *result = &replay_plan(r)->results[i];
		bool observed = result->verdict != PLAN_LEAVE && !result->apply;
		auto_free char *why = out_safe(result->why);

		printf("\n");
		out_line(4, "vm %s: %s%s", in->vms[i].id,
			observed ? "would be on " : "", why);
		if (result->explain != NULL)
			print_explain(in, &in->vms[i], result->explain, &told);
	}
}

/* ---- a host without VMs ---- */

/* "l3 (25 ns)   0-3,32-35 4-7,36-39 ...": domains with several CPUs. */
static void
print_domains(const struct ranking *r, const struct tier *tier)
{
	char name[48];
	char list[32];
	int used = snprintf(name, sizeof(name), "%-8s %6.1f ns", tier->name,
		(double)tier->latency_ns);
	unsigned int width = out_columns();
	unsigned int line = 1;

	printf("%s", name);
	for (unsigned int d = 0; d < tier->n_domains; d++) {
		const struct domain *domain = &r->domains[tier->first_domain + d];
		int len = (int)strlen(cpuset_format(&domain->cpus, list, sizeof(list)));

		if (used + 2 + len > (int)width) {
			if (line++ == DOMAIN_LINES_MAX) {
				printf(" ...");
				break;
			}
			used = printf("\n%18s", "") - 1;
		}
		used += printf("  %s", list);
	}
	printf("\n");
}

void
planprint_host(
	const struct topo *t, const struct ranking *r, const struct plan_policy *policy)
{
	print_picture(t, t, &policy->reserved, NULL, 0);
	printf("\n");
	out_line(0, "tiers, from near to far: their latency and domains%s",
		r->trusted ? " (measured)" : "");
	for (unsigned int i = 0; i < r->n_tiers; i++)
		print_domains(r, &r->tiers[i]);
}

static json_t *
set_json(const struct cpuset *set)
{
	auto_free char *text = list_text(set);

	return json_string(text);
}

static json_t *
tiers_json(const struct ranking *r)
{
	json_t *tiers = json_array();

	for (unsigned int i = 0; i < r->n_tiers; i++) {
		const struct tier *tier = &r->tiers[i];
		json_t *domains = json_array();

		for (unsigned int d = 0; d < tier->n_domains; d++)
			(void)json_array_append_new(domains,
				set_json(&r->domains[tier->first_domain + d].cpus));
		(void)json_array_append_new(tiers,
			json_pack("{s:s, s:f, s:f, s:o}", "name", tier->name,
				"latency_ns", (double)tier->latency_ns, "confidence",
				(double)tier->confidence, "domains", domains));
	}
	return tiers;
}

json_t *
planprint_host_json(
	const struct topo *t, const struct ranking *r, const struct plan_policy *policy)
{
	json_t *nodes = json_array();

	for (unsigned int i = 0; i < t->n_nodes; i++)
		(void)json_array_append_new(nodes,
			json_pack("{s:i, s:o, s:f}", "node", (int)t->nodes[i].id,
				"cpus", set_json(&t->nodes[i].cpus), "memory_gib",
				(double)t->nodes[i].mem_kib / 1048576));
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "cpus", set_json(&t->online),
		"reserved", set_json(&policy->reserved), "isolated",
		set_json(&t->isolated), "nodes", nodes, "trusted", (int)r->trusted,
		"tiers", tiers_json(r));
}
