// SPDX-License-Identifier: MIT
/* Pictures of hosts: who sits where, what is put together, and how wide it is. */
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
#include "cli/hostpicture.h"
#include "hosts.h"

#define VMS_MAX 400

struct world {
	struct host host;
	struct hostpicture_vm vms[VMS_MAX];
	unsigned int n;
	struct strbuf ids[VMS_MAX];
};

static struct world *
world_new(const struct host_spec *spec)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->host = host_full(spec);
	return w;
}

/* All vCPUs of a VM with one mask. */
static void
add_vm(struct world *w, unsigned int id, unsigned int n_vcpus, const char *list)
{
	struct cpuset *masks = xcalloc(n_vcpus, sizeof(*masks));

	for (unsigned int i = 0; i < n_vcpus; i++)
		assert_int_equal(cpuset_parse(list, &masks[i]), 0);
	strbuf_addf(&w->ids[w->n], "%u", id);
	w->vms[w->n] = (struct hostpicture_vm){w->ids[w->n].s, n_vcpus, masks};
	w->n++;
}

/* With everything freed. */
static char *
draw_and_free(struct world *w, struct hostpicture p)
{
	char *text;

	p.topo = w->host.topo;
	p.vms = w->vms;
	p.n_vms = w->n;
	p.columns = p.columns > 0 ? p.columns : 80;
	text = hostpicture_text(&p);
	for (unsigned int i = 0; i < w->n; i++) {
		free((void *)(uintptr_t)w->vms[i].vcpus);
		strbuf_fini(&w->ids[i]);
	}
	host_fini(&w->host);
	free(w);
	return text;
}

static void
assert_lines_within(const char *text, size_t columns)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > columns)
			fail_msg("%zu columns: %.*s", columns, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void
vms_are_in_the_smallest_group_that_holds_them(void **state)
{
	struct world *w = world_new(&host_9354);

	(void)state;
	add_vm(w, 100, 4, "0-3,32-35");
	add_vm(w, 101, 12, "8-15,40-47");
	add_vm(w, 102, 20, "16-31,48-63");
	auto_free char *text = draw_and_free(w, (struct hostpicture){.columns = 80});
	assert_string_equal(text, "64 CPUs, 32 cores, 8 L3 groups, 4 nodes, 1 package\n"
				  "\n"
				  "node 0    0-7,32-39   ##...... 4.0/16\n"
				  "  L3 0    0-3,32-35   ####.... 4.0/8      100(4)\n"
				  "  L3 1    4-7,36-39   ........ 0.0/8\n"
				  "node 1    8-15,40-47  ######.. 12.0/16    101(12)\n"
				  "  L3 0-1  8-15,40-47  ######.. 6.0/8 each\n"
				  "node 2    16-23,48-55 #####... 10.0/16    102(20)+\n"
				  "  L3 0-1  16-23,48-55 #####... 5.0/8 each\n"
				  "node 3    24-31,56-63 #####... 10.0/16    102(20)+\n"
				  "  L3 0-1  24-31,56-63 #####... 5.0/8 each\n"
				  "+ also on other nodes\n");
}

/* README.md without the indent of its examples. */
static char *
readme(void)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path = xasprintf("%s/README.md", srcdir != NULL ? srcdir : ".");
	FILE *in = fopen(path, "re");
	struct strbuf all = {0};
	auto_free char *line = NULL;
	size_t size = 0;

	if (in == NULL)
		fail_msg("no %s", path);
	while (getline(&line, &size, in) > 0)
		strbuf_adds(&all, line + (str_has_prefix(line, "    ") ? 4 : 0));
	(void)fclose(in);
	return all.s;
}

static void
the_example_of_the_readme_is_what_is_drawn(void **state)
{
	struct world *w = world_new(&host_9354);
	auto_free char *page = readme();
	struct cpuset reserved;

	(void)state;
	assert_int_equal(cpuset_parse("0,32", &reserved), 0);
	w->host.topo->nodes[0].mem_kib = UINT64_C(64) << 20;
	w->host.topo->nodes[0].free_kib = UINT64_C(48) << 20;
	add_vm(w, 100, 4, "1-3,33-35");
	add_vm(w, 101, 2, "4,36");
	add_vm(w, 102, 6, "4-7,36-39");
	auto_free char *text = draw_and_free(
		w, (struct hostpicture){.reserved = reserved, .cores = true});
	char *node = strstr(text, "node 0 ");

	assert_non_null(node);
	*strstr(node, "node 1 ") = '\0';
	if (strstr(page, node) == NULL)
		fail_msg("drawn is\n%s", node);
}

static void
only_groups_that_nobody_has_are_put_together(void **state)
{
	struct world *w = world_new(&host_9354);

	(void)state;
	add_vm(w, 1, 4, "0-3,32-35");
	add_vm(w, 2, 8, "4-7,36-39,8-11,40-43"); /* half of it on node 0 */
	auto_free char *text = draw_and_free(w, (struct hostpicture){.columns = 80});
	assert_non_null(strstr(text, "  L3 0    0-3,32-35   ####.... 4.0/8      1(4)\n"
				     "  L3 1    4-7,36-39   ####.... 4.0/8\n"));
	assert_non_null(strstr(text, "  L3 0    8-11,40-43  ####.... 4.0/8\n"
				     "  L3 1    12-15,44-47 ........ 0.0/8\n"));
}

static void
vcpus_of_one_vm_may_sit_apart(void **state)
{
	struct world *w = world_new(&host_9354);
	struct cpuset masks[3] = {cpuset_of(0), cpuset_of(1), cpuset_of(4)};
	struct hostpicture_vm vm = {"7", 3, masks};
	const struct hostpicture p = {
		.topo = w->host.topo, .vms = &vm, .n_vms = 1, .columns = 80};
	auto_free char *text = hostpicture_text(&p);

	(void)state;
	assert_non_null(strstr(text, "2.0/8      7(2)\n"));
	assert_non_null(strstr(text, "1.0/8      7(1)\n"));
	free(draw_and_free(w, p));
}

static void
empty_host_is_a_line(void **state)
{
	auto_free char *text =
		draw_and_free(world_new(&host_9654_2s), (struct hostpicture){0});

	(void)state;
	assert_string_equal(text,
		"384 CPUs, 192 cores, 24 L3 groups, 8 nodes, 2 packages\n"
		"\n"
		"node 0-7  0-383           ........ 0.0/48 each\n");
}

static void
reserved_and_offline_cpus_are_told(void **state)
{
	auto_free char *text = draw_and_free(
		world_new(&host_9354), (struct hostpicture){.reserved = cpuset_of(0),
					       .offline = cpuset_of(99)});

	(void)state;
	assert_non_null(strstr(text, "\noffline  99\n"));
	assert_non_null(strstr(text, "\nreserved 0\n"));
	assert_null(strstr(text, "isolated"));
	/* they are not counted as room */
	assert_non_null(strstr(text, " 0.0/15\n"));
	assert_non_null(strstr(text, " 0.0/7\n"));
}

/* Hosts that lack something. */
static void
every_host_has_a_picture(void **state)
{
	static const struct {
		const struct host_spec *spec;
		const char *want;
	} cases[] = {
		{&host_flat2, "2 CPUs, 2 cores, 1 package\n\n"
			      "host    0-1 ####.... 1.0/2      5(1)\n"},
		{&host_1cpu, "node 0    0 ######## 1.0/1      5(1)\n"},
		{&host_snc, "node 0"},
		{&host_hybrid, " 1.0/32     5(1)\n"},
		{&host_xeon_2s, "\nnode 1 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(cases[i].spec);
		unsigned int all = w->host.topo->n_pus;
		char list[32];
		struct cpuset cpus = w->host.topo->online;

		if (all > 32)
			cpus = w->host.topo->nodes[0].cpus;
		add_vm(w, 5, 1, cpuset_format(&cpus, list, sizeof(list)));
		auto_free char *text = draw_and_free(w, (struct hostpicture){0});
		if (strstr(text, cases[i].want) == NULL)
			fail_msg("%s:\n%s", cases[i].spec->name, text);
	}
}

static void
crowded_hosts_fit_the_screen(void **state)
{
	static const struct host_spec *const specs[] = {&host_9354, &host_7351p,
		&host_9654_2s, &host_9654_nps1, &host_xeon_2s, &host_snc};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct world *w = world_new(specs[i]);
		const struct topo *t = w->host.topo;
		char list[CPUSET_TEXT_MAX];

		for (unsigned int v = 0; v < VMS_MAX; v++) {
			const struct cpuset *cpus = &t->l3[v % t->n_l3].cpus;

			if (v % 3 == 1)
				cpus = &t->nodes[v % t->n_nodes].cpus;
			if (v % 3 == 2)
				cpus = &t->online;
			add_vm(w, 100 + v * 1000, 1 + v % 16,
				cpuset_format(cpus, list, sizeof(list)));
		}
		auto_free char *text = draw_and_free(w, (struct hostpicture){0});
		assert_lines_within(text, 80);
		assert_non_null(strstr(text, " more\n"));
	}
}

static void
long_names_are_cut(void **state)
{
	struct world *w = world_new(&host_9354);

	(void)state;
	add_vm(w, 1, 1, "0");
	strbuf_adds(&w->ids[0], "234567890123456789012345678901234567890");
	w->vms[0].id = w->ids[0].s;
	auto_free char *text = draw_and_free(w, (struct hostpicture){0});
	assert_non_null(strstr(text, "123456789012(1)\n"));
}

static void
colours_are_closed_again(void **state)
{
	struct world *w = world_new(&host_9354);
	unsigned int on = 0;
	unsigned int off = 0;

	(void)state;
	add_vm(w, 1, 40, "0-3,32-35");
	auto_free char *text =
		draw_and_free(w, (struct hostpicture){.colours = true, .blocks = true});
	for (const char *p = text; (p = strstr(p, "\x1b[")) != NULL; p++) {
		if (strncmp(p, "\x1b[0m", 4) == 0)
			off++;
		else
			on++;
		assert_true(on == off || on == off + 1);
	}
	assert_int_equal(on, off);
	assert_non_null(strstr(text, "\x1b[31m")); /* overloaded */
	assert_null(strchr(text, '#'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_are_in_the_smallest_group_that_holds_them),
		cmocka_unit_test(the_example_of_the_readme_is_what_is_drawn),
		cmocka_unit_test(only_groups_that_nobody_has_are_put_together),
		cmocka_unit_test(vcpus_of_one_vm_may_sit_apart),
		cmocka_unit_test(empty_host_is_a_line),
		cmocka_unit_test(reserved_and_offline_cpus_are_told),
		cmocka_unit_test(every_host_has_a_picture),
		cmocka_unit_test(crowded_hosts_fit_the_screen),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(colours_are_closed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
