// SPDX-License-Identifier: MIT
/* Pictures of hosts with each core: whole ones, for hosts of all sizes and screens. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/coremap.h"
#include "cli/hostpicture.h"
#include "hosts.h"
#include "layouts.h"

#define VCPUS_MAX 32

#define LEGEND                                   \
	"\n"                                     \
	"[ ] is a core; a character is a CPU:\n" \
	"1-9 vCPUs for each CPU, rounded up, . none\n"

/* A VM of a test: its vCPUs all have one mask, or each one CPU of it. */
struct sitter {
	const char *id;
	unsigned int n;
	const char *cpus;
	bool pinned;
};

struct masks {
	struct cpuset of[VCPUS_MAX];
};

static void
seat(const struct sitter *s, struct masks *masks)
{
	struct cpuset all;
	unsigned int at = 0;

	assert_int_equal(cpuset_parse(s->cpus, &all), 0);
	for (unsigned int v = 0; v < s->n; v++) {
		at = cpuset_next(&all, at);
		masks->of[v] = s->pinned ? cpuset_of(at++) : all;
	}
}

/* Drawn and freed. */
static char *
draw(struct hostpicture p, const struct sitter *sitters, unsigned int n)
{
	struct hostpicture_vm *vms = xcalloc(n, sizeof(*vms));
	struct masks *masks = xcalloc(n, sizeof(*masks));
	char *text;

	for (unsigned int i = 0; i < n; i++) {
		seat(&sitters[i], &masks[i]);
		vms[i] = (struct hostpicture_vm){
			sitters[i].id, sitters[i].n, masks[i].of};
	}
	p.vms = vms;
	p.n_vms = n;
	p.cores = true;
	text = hostpicture_text(&p);
	free(vms);
	free(masks);
	return text;
}

static struct cpuset
cpus(const char *list)
{
	struct cpuset s;

	assert_int_equal(cpuset_parse(list, &s), 0);
	return s;
}

static const struct sitter sitters[] = {
	{"100", 4, "1-3,33-35", false},	    /* an L3 group, but what is reserved */
	{"101", 2, "4,36", true},	    /* one core */
	{"102", 6, "4-7,36-39", false},	    /* a group, others have some of it */
	{"103", 12, "8-15,40-47", false},   /* a node */
	{"104", 20, "16-29,48-61", false},  /* two nodes, but what is isolated */
	{"long-name-of-it", 1, "30", true}, /* isolated */
	{"unmanaged", 2, "0-63", false},    /* anywhere */
	{"106", 3, "28-29,60", true},	    /* a part that is no core */
};

static struct hostpicture
full_host(struct host *host)
{
	struct cpuset isolated = cpus("30-31,62-63");

	*host = host_make(&host_9354, &CPUSET_NONE, &isolated);
	return (struct hostpicture){
		.topo = host->topo, .reserved = cpus("0,32"), .offline = cpus("64-65")};
}

/* The picture of it; @wrap is between the last two VMs. */
#define FULL_HOST(wrap)                                                                \
	"64 CPUs, 32 cores, 8 L3 groups, 4 nodes, 1 package\n"                         \
	"offline  64-65\n"                                                             \
	"reserved 0,32\n"                                                              \
	"isolated 30-31,62-63\n"                                                       \
	"\n"                                                                           \
	"node 0    0-7,32-39   12.4/14    unmanaged(2)+\n"                             \
	"          memory 64.0 GiB, 48.0 GiB free\n"                                   \
	"  L3 0    0-3,32-35   4.2/6      100(4)\n"                                    \
	"          [RR][11][11][11]\n"                                                 \
	"  L3 1    4-7,36-39   8.2/8      101(2)@4,36 102(6)\n"                        \
	"          [22][11][11][11]\n"                                                 \
	"node 1    8-15,40-47  12.5/16    103(12) unmanaged(2)+\n"                     \
	"          memory 64.0 GiB, 48.0 GiB free\n"                                   \
	"  L3 0    8-11,40-43  6.2/8\n"                                                \
	"          [11][11][11][11]\n"                                                 \
	"  L3 1    12-15,44-47 6.2/8\n"                                                \
	"          [11][11][11][11]\n"                                                 \
	"node 2    16-23,48-55 11.9/16    104(20)+ unmanaged(2)+\n"                    \
	"          memory 64.0 GiB, 48.0 GiB free\n"                                   \
	"  L3 0    16-19,48-51 6.0/8\n"                                                \
	"          [11][11][11][11]\n"                                                 \
	"  L3 1    20-23,52-55 6.0/8\n"                                                \
	"          [11][11][11][11]\n"                                                 \
	"node 3    24-31,56-63 13.1/16    104(20)+ unmanaged(2)+\n"                    \
	"          memory 64.0 GiB, 48.0 GiB free\n"                                   \
	"  L3 0    24-27,56-59 6.0/8\n"                                                \
	"          [11][11][11][11]\n"                                                 \
	"  L3 1    28-31,60-63 7.1/8      long-name-of(1)@30" wrap "106(3)@28-29,60\n" \
	"          [22][21][II][II]\n"                                                 \
	"\n"                                                                           \
	"[ ] is a core; a character is a CPU:\n"                                       \
	"1-9 vCPUs for each CPU, rounded up, . none\n"                                 \
	"r R reserved, i I isolated; capitals: vCPUs may run there\n"                  \
	"@ only on these CPUs\n"                                                       \
	"+ also on other nodes\n"

static void
a_host_is_drawn_with_all_that_sits_there(void **state)
{
	struct host host;
	struct hostpicture p = full_host(&host);

	(void)state;
	p.columns = 80;
	auto_free char *text = draw(p, sitters, ARRAY_LEN(sitters));
	assert_string_equal(text, FULL_HOST(" "));
	host_fini(&host);
}

static void
narrow_screens_have_all_of_it_too(void **state)
{
	struct host host;
	struct hostpicture p = full_host(&host);

	(void)state;
	p.columns = 60;
	auto_free char *text = draw(p, sitters, ARRAY_LEN(sitters));
	p.columns = 20; /* as 60 */
	auto_free char *narrower = draw(p, sitters, ARRAY_LEN(sitters));
	assert_string_equal(text, FULL_HOST("\n                                 "));
	assert_string_equal(text, narrower);
	host_fini(&host);
}

/* What is below the first line. */
static void
empty_hosts_of_all_kinds(void **state)
{
	static const struct {
		const struct host_spec *spec;
		const char *want;
	} cases[] = {
		{&host_1cpu, "node 0    0 0.0/1\n"
			     "          memory 64.0 GiB, 48.0 GiB free\n"
			     "          .\n"
			     "\n"
			     "a character is a CPU:\n"
			     "1-9 vCPUs for each CPU, rounded up, . none\n"},
		{&host_flat2, "host    0-1 0.0/2\n"
			      "        ..\n"
			      "\n"
			      "a character is a CPU:\n"
			      "1-9 vCPUs for each CPU, rounded up, . none\n"},
		{&host_snc, "package 0\n"
			    "node 0    0-7,32-39   0.0/16\n"
			    "          memory 64.0 GiB, 48.0 GiB free\n"
			    "          [..][..][..][..][..][..][..][..]\n"
			    "node 1    8-15,40-47  0.0/16\n"
			    "          memory 64.0 GiB, 48.0 GiB free\n"
			    "          [..][..][..][..][..][..][..][..]\n"
			    "package 1\n"
			    "node 2    16-23,48-55 0.0/16\n"
			    "          memory 64.0 GiB, 48.0 GiB free\n"
			    "          [..][..][..][..][..][..][..][..]\n"
			    "node 3    24-31,56-63 0.0/16\n"
			    "          memory 64.0 GiB, 48.0 GiB free\n"
			    "          [..][..][..][..][..][..][..][..]\n" LEGEND},
		{&host_hybrid,
			"node 0    0-31 0.0/32\n"
			"          memory 64.0 GiB, 48.0 GiB free\n"
			"        0 "
			"[..][..][..][..][..][..][..][..][.][.][.][.][.][.][.][.]\n"
			"       16 [.][.][.][.][.][.][.][.]\n" LEGEND},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host host = host_full(cases[i].spec);
		auto_free char *text =
			draw((struct hostpicture){.topo = host.topo, .columns = 80},
				NULL, 0);
		const char *below = strstr(text, "\n\n");

		host_fini(&host);
		if (below == NULL || strcmp(below + 2, cases[i].want) != 0)
			fail_msg("%s:\n%s", cases[i].spec->name, text);
	}
}

/* Without siblings, and with numbers that have four digits. */
static void
thousand_cpus_are_rows_of_eights(void **state)
{
	const struct layout layout = {
		.packages = 2, .nodes = 2, .cores = 256, .threads = 1};
	const struct sitter vm = {"100", 16, "768-783", true};
	struct topo *t = hosts_build(&layout);
	auto_free char *text =
		draw((struct hostpicture){.topo = t, .columns = 80}, &vm, 1);

	(void)state;
	topo_free(t);
	assert_non_null(
		strstr(text, "\nnode 3    768-1023 16.0/256   100(16)@768-783\n"
			     "          memory 1.0 GiB, 0.5 GiB free\n"
			     "      768 11111111 11111111 ........ ........\n"
			     "      800 ........ ........ ........ ........\n"));
	assert_non_null(strstr(text, "\n      992 ........ "));
}

static void
nodes_without_cpus_are_told(void **state)
{
	struct topo_cpu_facts cpu = {.core_key = 0, .l3_key = TOPO_NONE};
	struct topo_node_facts nodes[] = {{0, 1 << 20, true, 1 << 20},
		{4, 3 << 20, true, 3 << 20}, {5, 0, false, 0}};
	const struct topo_facts f = {
		.n_cpus = 1, .cpus = &cpu, .n_nodes = 3, .nodes = nodes};
	struct topo *t;

	(void)state;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	auto_free char *text =
		draw((struct hostpicture){.topo = t, .columns = 80}, NULL, 0);
	topo_free(t);
	assert_non_null(strstr(text, "node 4    no CPUs\n"
				     "          memory 3.0 GiB\n"
				     "node 5    no CPUs\n"
				     "\n"));
}

/* Of a node whose L3 groups leave out some of its CPUs. */
static void
cores_that_are_in_no_group_are_drawn_with_their_node(void **state)
{
	struct topo_cpu_facts c[6];
	struct topo_node_facts node = {0, 0, false, 0};
	const struct topo_facts f = {
		.n_cpus = 6, .cpus = c, .n_nodes = 1, .nodes = &node};
	struct topo *t;

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		c[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = i / 2,
			.l2_key = TOPO_NONE,
			.l3_key = i < 2 ? 0 : TOPO_NONE,
			.package_id = TOPO_NONE};
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	auto_free char *text =
		draw((struct hostpicture){.topo = t, .columns = 80}, NULL, 0);
	topo_free(t);
	assert_non_null(strstr(text, "node 0    0-5 0.0/6\n"
				     "          [..][..]\n"
				     "  L3 0    0-1 0.0/2\n"
				     "          [..]\n"
				     "\n"));
}

static void
loads_are_digits(void **state)
{
	static const struct {
		double load;
		const char *mark;
	} cases[] = {{0, "."}, {1e-6, "1"}, {0.5, "1"}, {1.0 + 1e-9, "1"}, {1.02, "2"},
		{2, "2"}, {8.5, "9"}, {9, "9"}, {1e9, "9"}};
	struct host host = host_full(&host_1cpu);
	double *load = xcalloc(CPUSET_CAP, sizeof(*load));
	const struct coremap m = {.topo = host.topo, .load = load, .columns = 60};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b = {0};

		load[0] = cases[i].load;
		coremap_add(&m, &host.topo->online, &b);
		if (b.len != 2 || b.s[0] != *cases[i].mark)
			fail_msg("%f is %s", cases[i].load, strbuf_text(&b));
		strbuf_fini(&b);
	}
	free(load);
	host_fini(&host);
}

/* Bytes that are shown: no colours, which are of one byte's length each. */
static size_t
shown(const char *line, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\x1b')
			i += strcspn(line + i, "m");
		else
			n++;
	}
	return n;
}

static void
assert_lines_within(const char *text, size_t columns, const char *what)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (shown(text, len) > columns)
			fail_msg(
				"%s, %zu columns: %.*s", what, columns, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* VMs everywhere: of groups, of nodes, of all, and of single CPUs. */
static void
crowd(const struct topo *t, struct sitter *all, unsigned int n)
{
	static char lists[300][CPUSET_TEXT_MAX];
	static char ids[300][16];

	for (unsigned int i = 0; i < n; i++) {
		const struct cpuset *mask = &t->online;

		if (i % 4 == 0 && t->n_l3 > 0)
			mask = &t->l3[i % t->n_l3].cpus;
		if (i % 4 == 1 && t->n_nodes > 0)
			mask = &t->nodes[i % t->n_nodes].cpus;
		(void)snprintf(ids[i], sizeof(ids[i]), "%u", i * i * i + 1);
		all[i] = (struct sitter){ids[i], 1 + i % 8,
			cpuset_format(mask, lists[i], sizeof(lists[i])), i % 4 == 2};
		all[i].n = all[i].n > cpuset_count(mask) ? 1 : all[i].n;
	}
}

static void
crowded_hosts_fit_every_screen(void **state)
{
	static const struct host_spec *const specs[] = {&host_1cpu, &host_flat2,
		&host_hybrid, &host_snc, &host_9354, &host_9654_2s, &host_9654_nps1};
	static struct sitter all[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host host = host_full(specs[i]);

		crowd(host.topo, all, ARRAY_LEN(all));
		for (unsigned int columns = 60; columns < 240; columns += 37) {
			auto_free char *text =
				draw((struct hostpicture){.topo = host.topo,
					     .reserved = cpuset_of(0),
					     .columns = columns,
					     .colours = columns % 2 == 0},
					all, ARRAY_LEN(all));

			assert_lines_within(text, columns, specs[i]->name);
			if (columns == 60)
				assert_non_null(strstr(text, " more\n"));
		}
		host_fini(&host);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_drawn_with_all_that_sits_there),
		cmocka_unit_test(narrow_screens_have_all_of_it_too),
		cmocka_unit_test(empty_hosts_of_all_kinds),
		cmocka_unit_test(thousand_cpus_are_rows_of_eights),
		cmocka_unit_test(nodes_without_cpus_are_told),
		cmocka_unit_test(cores_that_are_in_no_group_are_drawn_with_their_node),
		cmocka_unit_test(loads_are_digits),
		cmocka_unit_test(crowded_hosts_fit_every_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
