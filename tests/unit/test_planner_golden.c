// SPDX-License-Identifier: MIT
/*
 * Golden plans: tests/data/place/NAME.case is a little script, NAME.plan what the
 * planner answers, to be read and reviewed as text. Commands, one a line:
 *
 *     host NAME                        one of the made-up hosts, all CPUs online
 *     offline|isolated|reserved CPUS   from now on (a cpulist, "none")
 *     vm ID MODE VCPUS [OPTION...]     starts
 *     vcpus ID N                       plug vCPUs
 *     stop ID
 *     plan                             plan, print, and let the VMs have it
 *
 * Options: limit=CPUS affinity=CPUS memory=SHARE,SHARE... emulator=POLICY smt=POLICY
 * demand=CPUS on=CPUS (masks it has, though never placed) guest=N (guest nodes of equal
 * size, vCPUs in order) hostnodes=NODES/NODES... (of each guest node, "none").
 *
 * QMPIN_GOLDEN_OUT=DIR writes what came out there, to be compared and copied; "make
 * golden-place" puts it into the source tree, for a look at git diff.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "fleet.h"

static const char *const cases[] = {
	"epyc-9354-fills-l3-groups-evenly",
	"epyc-9354-memory-decides-the-node",
	"epyc-9354-pin",
	"epyc-9354-limits",
	"epyc-9354-core-and-isolate",
	"epyc-9354-dedicated-arrives-late",
	"epyc-9354-emulator",
	"epyc-9354-hotplug-and-offline",
	"epyc-9354-one-vm-a-node",
	"epyc-9354-two-vms-a-node",
	"epyc-9354-vms-of-l3-size",
	"epyc-9354-mixed-and-overcommitted",
	"epyc-9354-guest-nodes",
	"epyc-9354-node-offline",
	"epyc-7351p-small-l3-groups",
	"epyc-7351p-two-vms-a-node",
	"epyc-7351p-mixed-and-overcommitted",
	"epyc-7351p-guest-nodes",
	"epyc-7351p-node-offline",
	"epyc-9654-unions-of-l3-groups",
	"xeon-one-l3-a-socket",
	"snc-l3-over-nodes",
	"hybrid",
	"vm-2-cpus",
	"one-cpu",
	"impossible-demands",
	"observe-and-off",
};

static const struct host_spec *const specs[] = {&host_9354, &host_7351p, &host_9654_2s,
	&host_9654_nps1, &host_xeon_2s, &host_snc, &host_hybrid, &host_flat2,
	&host_1cpu};

/* Of a VM's description, what struct fleet_vm has no room for. */
struct extra {
	struct cpuset affinity;
	struct plan_guest_node nodes[4];
	uint16_t node_of[64];
};

struct script {
	const char *name;
	unsigned int line;
	const struct host_spec *spec;
	struct cpuset offline;
	struct cpuset isolated;
	struct host host;
	struct fleet *fleet;
	struct strbuf out;
	unsigned int n_extras;
	struct extra extras[64];
};

static void
die(const struct script *s, const char *what)
{
	fail_msg("%s.case:%u: %s", s->name, s->line, what);
}

static struct cpuset
cpus_of(const struct script *s, const char *text)
{
	struct cpuset cpus = CPUSET_NONE;

	if (!str_equal(text, "none") && cpuset_parse(text, &cpus) < 0)
		die(s, "not a cpulist");
	return cpus;
}

static void
set_host(struct script *s)
{
	if (s->host.topo != NULL)
		host_fini(&s->host);
	s->host = host_make(s->spec, &s->offline, &s->isolated);
	if (s->fleet == NULL)
		s->fleet = fleet_new(&s->host);
}

static void
read_host(struct script *s, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		if (str_equal(specs[i]->name, name))
			s->spec = specs[i];
	}
	if (s->spec == NULL)
		die(s, "no such host");
	set_host(s);
}

static void
read_host_nodes(struct script *s, struct extra *extra, char *value)
{
	char *save = NULL;
	unsigned int i = 0;

	for (char *t = strtok_r(value, "/", &save); t != NULL && i < 4;
		t = strtok_r(NULL, "/", &save))
		extra->nodes[i++].host_nodes = cpus_of(s, t);
}

static void
split_guest(struct script *s, struct fleet_vm *vm, struct extra *extra, unsigned int n)
{
	if (n == 0 || n > 4 || vm->in.n_vcpus > 64)
		die(s, "guest=1..4, of at most 64 vCPUs");
	for (unsigned int v = 0; v < vm->in.n_vcpus; v++)
		extra->node_of[v] = (uint16_t)(v * n / vm->in.n_vcpus);
	vm->in.n_guest_nodes = n;
	vm->in.guest_nodes = extra->nodes;
	vm->in.guest_node_of = extra->node_of;
}

static void
read_option(struct script *s, struct fleet_vm *vm, struct extra *extra, char *word)
{
	char *value = strchr(word, '=');
	char *save = NULL;
	unsigned int i = 0;

	if (value == NULL)
		die(s, "not key=value");
	*value++ = '\0';
	if (str_equal(word, "limit")) {
		vm->in.limit = cpus_of(s, value);
	} else if (str_equal(word, "affinity")) {
		extra->affinity = cpus_of(s, value);
		vm->in.affinity = &extra->affinity;
	} else if (str_equal(word, "guest")) {
		split_guest(s, vm, extra, (unsigned int)strtoul(value, NULL, 10));
	} else if (str_equal(word, "hostnodes")) {
		read_host_nodes(s, extra, value);
	} else if (str_equal(word, "emulator")) {
		vm->in.emulator = (enum place_emulator)place_emulator_parse(value);
	} else if (str_equal(word, "smt")) {
		vm->in.smt = (enum place_smt)place_smt_parse(value);
	} else if (str_equal(word, "demand")) {
		vm->in.demand_vcpus = strtod(value, NULL);
	} else if (str_equal(word, "on")) {
		vm->in.n_current = 1;
		vm->masks = xcalloc(1, sizeof(*vm->masks));
		vm->masks[0] = cpus_of(s, value);
	} else if (str_equal(word, "memory")) {
		for (char *t = strtok_r(value, ",", &save); t != NULL;
			t = strtok_r(NULL, ",", &save))
			vm->memory[i++] = strtod(t, NULL);
		vm->started = true;
	} else {
		die(s, "unknown key");
	}
}

static void
read_vm(struct script *s, char **save)
{
	const char *id = strtok_r(NULL, " ", save);
	const char *mode = strtok_r(NULL, " ", save);
	const char *vcpus = strtok_r(NULL, " ", save);
	struct extra *extra;
	struct fleet_vm *vm;

	if (vcpus == NULL || s->n_extras == ARRAY_LEN(s->extras))
		die(s, "vm ID MODE VCPUS, at most 64 of them");
	extra = &s->extras[s->n_extras++];
	vm = fleet_add(s->fleet, id, (enum place_mode)place_mode_parse(mode),
		(unsigned int)strtoul(vcpus, NULL, 10));
	for (char *word = strtok_r(NULL, " ", save); word != NULL;
		word = strtok_r(NULL, " ", save))
		read_option(s, vm, extra, word);
}

static unsigned int
find_vm(const struct script *s, const char *id)
{
	for (unsigned int i = 0; i < s->fleet->n; i++) {
		if (str_equal(s->fleet->vms[i].id, id))
			return i;
	}
	die(s, "no such VM");
	return 0;
}

static void
print_result(struct script *s, const char *id, const struct plan_result *r)
{
	static const char *const verdicts[] = {"leave", "keep", "place"};
	char text[CPUSET_TEXT_MAX];
	bool same = true;
	unsigned int run;

	strbuf_addf(&s->out, "%s %s%s", id, verdicts[r->verdict],
		r->verdict != PLAN_LEAVE && !r->apply ? " (report only)" : "");
	for (unsigned int v = 1; v < r->n_vcpus; v++)
		same &= cpuset_equal(&r->vcpus[v], &r->vcpus[0]);
	for (unsigned int v = 0; v < r->n_vcpus; v += run) {
		for (run = 1; v + run < r->n_vcpus &&
			      cpuset_equal(&r->vcpus[v + run], &r->vcpus[v]);)
			run++;
		strbuf_addf(&s->out, "%s", v == 0 ? " on " : " | ");
		if (run > 1 && !same)
			strbuf_addf(&s->out, "%u x ", run);
		strbuf_addf(
			&s->out, "%s", cpuset_format(&r->vcpus[v], text, sizeof(text)));
	}
	if (r->n_vcpus > 0 && !cpuset_equal(&r->emulator, &r->domain))
		strbuf_addf(&s->out, ", emulator on %s",
			cpuset_format(&r->emulator, text, sizeof(text)));
	strbuf_addf(&s->out, "\n    %s\n", r->why);
}

static void
print_plan(struct script *s)
{
	struct plan *p = fleet_plan(s->fleet);

	strbuf_addf(&s->out, "plan at line %u\n", s->line);
	for (unsigned int i = 0; i < p->n; i++)
		print_result(s, s->fleet->vms[i].id, &p->results[i]);
	fleet_apply(s->fleet, p);
	plan_free(p);
}

static void
read_line(struct script *s, char *line)
{
	char *save = NULL;
	const char *word = strtok_r(line, " \n", &save);
	const char *arg;

	s->line++;
	if (word == NULL || word[0] == '#')
		return;
	if (str_equal(word, "plan")) {
		print_plan(s);
		return;
	}
	if (str_equal(word, "vm")) {
		read_vm(s, &save);
		return;
	}
	arg = strtok_r(NULL, " ", &save);
	if (arg == NULL)
		die(s, "argument missing");
	if (str_equal(word, "host")) {
		read_host(s, arg);
	} else if (str_equal(word, "offline")) {
		s->offline = cpus_of(s, arg);
		set_host(s);
	} else if (str_equal(word, "isolated")) {
		s->isolated = cpus_of(s, arg);
		set_host(s);
	} else if (str_equal(word, "reserved")) {
		s->fleet->policy.reserved = cpus_of(s, arg);
	} else if (str_equal(word, "stop")) {
		fleet_remove(s->fleet, find_vm(s, arg));
	} else if (str_equal(word, "vcpus")) {
		s->fleet->vms[find_vm(s, arg)].in.n_vcpus =
			(unsigned int)strtoul(save, NULL, 10);
	} else {
		die(s, "unknown command");
	}
}

static FILE *
open_data(const char *name, const char *suffix)
{
	const char *srcdir = getenv("srcdir");
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/tests/data/place/%s%s",
		srcdir != NULL ? srcdir : ".", name, suffix);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	return file;
}

static void
write_out(const char *name, const char *text)
{
	const char *dir = getenv("QMPIN_GOLDEN_OUT");
	char path[512];
	FILE *file;

	if (dir == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s.plan", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void
expect(const char *name, const char *text)
{
	char wanted[32768];
	FILE *file = open_data(name, ".plan");
	size_t n = fread(wanted, 1, sizeof(wanted) - 1, file);

	(void)fclose(file);
	wanted[n] = '\0';
	if (strcmp(wanted, text) != 0)
		fail_msg("%s.plan differs; what came out:\n%s", name, text);
}

static void
plans_are_those_that_were_reviewed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script s = {.name = cases[i]};
		FILE *file = open_data(cases[i], ".case");
		char line[1024];

		while (fgets(line, sizeof(line), file) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			read_line(&s, line);
		}
		(void)fclose(file);
		write_out(cases[i], strbuf_text(&s.out));
		if (getenv("QMPIN_GOLDEN_OUT") == NULL)
			expect(cases[i], strbuf_text(&s.out));
		strbuf_fini(&s.out);
		fleet_free(s.fleet);
		host_fini(&s.host);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_those_that_were_reviewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
