// SPDX-License-Identifier: MIT
/*
 * Configurations as they are found: tests/data/pve/NAME.conf, and in NAME.txt what is
 * understood of it, to be read and reviewed as text, with what the VM's tags and
 * description come to under the default rules ("opt") and under those that allow all
 * ("full"). QMPIN_GOLDEN_OUT=DIR writes what came out there; "make golden-pve" puts it
 * into the source tree, for a look at git diff.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "pve/optin.h"
#include "pve/vmconf.h"

#define FILE_MAX 65536u
#define CONFS_MIN 40u

/* ---- what is understood, as text ---- */

static void
add_safe(struct strbuf *out, const char *before, const char *text, size_t len)
{
	auto_free char *safe = xcalloc(len * 4 + 1, 1);

	strbuf_addf(out, "%s%s\n", before, str_escape(text, len, safe, len * 4 + 1));
}

static void
add_string(struct strbuf *out, const char *name, const char *text)
{
	if (text != NULL)
		add_safe(out, name, text, strlen(text));
}

static void
add_set(struct strbuf *out, const char *name, const struct cpuset *set)
{
	char text[CPUSET_TEXT_MAX];

	if (!cpuset_empty(set))
		strbuf_addf(out, "%s%s", name, cpuset_format(set, text, sizeof(text)));
}

static void
print_node(struct strbuf *out, const struct vmconf_node *n)
{
	static const char *const policies[] = {
		"", ", preferred", ", bind", ", interleave"};

	strbuf_addf(out, "numa%u:", n->id);
	add_set(out, " vCPUs ", &n->vcpus);
	add_set(out, ", host nodes ", &n->host_nodes);
	if (n->memory_mib > 0)
		strbuf_addf(out, ", %llu MiB", (unsigned long long)n->memory_mib);
	strbuf_addf(out, "%s\n", policies[n->policy]);
}

static void
print_cpus(struct strbuf *out, const struct vmconf *c)
{
	strbuf_addf(out, "%u x %u", c->sockets, c->cores);
	if (c->vcpus > 0)
		strbuf_addf(out, ", %u plugged", c->vcpus);
	if (c->memory_mib > 0)
		strbuf_addf(out, ", %llu MiB", (unsigned long long)c->memory_mib);
	strbuf_addf(out, "%s%s\n", c->numa ? ", numa" : "",
		c->template ? ", template" : "");
	for (unsigned int i = 0; i < c->n_nodes; i++)
		print_node(out, &c->nodes[i]);
	assert_int_equal(c->has_affinity, !cpuset_empty(&c->affinity));
	if (c->has_affinity) {
		add_set(out, "affinity ", &c->affinity);
		strbuf_adds(out, "\n");
	}
	if (c->cpulimit > 0)
		strbuf_addf(out, "limit %g CPUs\n", c->cpulimit);
	if (c->cpuunits > 0)
		strbuf_addf(out, "units %u\n", c->cpuunits);
}

static void
print_list(struct strbuf *out, const char *name, char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s %s%s", i == 0 ? name : "", list[i],
			i + 1 == n ? "\n" : "");
}

static void
print_conf(struct strbuf *out, const struct vmconf *c)
{
	print_cpus(out, c);
	print_list(out, "pci", c->pci, c->n_pci);
	print_list(out, "tags", c->tags, c->n_tags);
	add_string(out, "lock ", c->lock);
	add_string(out, "hookscript ", c->hookscript);
	add_string(out, "args ", c->args);
	if (c->pinning)
		strbuf_adds(out, "pinning\n");
	for (const char *p = c->description; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, "\n");

		add_safe(out, "| ", p, len);
		p += len;
		assert_int_equal(*p, '\n');
		p++;
	}
	for (size_t i = 0; i < c->n_warnings; i++)
		strbuf_addf(out, "warning: %s\n", c->warnings[i]);
}

static void
print_optin(struct strbuf *out, const char *name, const struct vmconf *c,
	const struct optin_rules *rules)
{
	static const char *const by[] = {"nothing", "tag", "description"};
	struct optin o;

	optin_judge(c, rules, &o);
	strbuf_addf(out, "%s: %s", name, by[o.by]);
	if (o.by != OPTIN_BY_NOBODY)
		strbuf_addf(out, ", %s", o.has_mode ? place_mode_name(o.mode) : "on");
	if (o.has_smt)
		strbuf_addf(out, " smt=%s", place_smt_name(o.smt));
	if (o.has_emulator)
		strbuf_addf(out, " emulator=%s", place_emulator_name(o.emulator));
	if (o.refused[0] != '\0')
		strbuf_addf(out, " (%s)", o.refused);
	strbuf_adds(out, "\n");
}

static char *
print_all(const struct vmconf *c)
{
	const struct optin_rules opt = {.trust = OPTIN_TRUST_OPT};
	const struct optin_rules full = {.trust = OPTIN_TRUST_FULL,
		.allow_dedicated = true,
		.unregistered_tags = true};
	struct strbuf out = {0};

	print_conf(&out, c);
	print_optin(&out, "opt", c, &opt);
	print_optin(&out, "full", c, &full);
	return strbuf_take(&out);
}

/* ---- files ---- */

static char *
data_path(const char *name)
{
	const char *srcdir = getenv("srcdir");

	return xasprintf("%s/tests/data/pve/%s", srcdir != NULL ? srcdir : ".", name);
}

static char *
read_data(const char *name, size_t *len)
{
	auto_free char *path = data_path(name);
	char *text = xcalloc(FILE_MAX, 1);
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		fail_msg("cannot open %s", path);
	*len = fread(text, 1, FILE_MAX - 1, file);
	(void)fclose(file);
	return text;
}

static void
compare(const char *stem, const char *text)
{
	const char *dir = getenv("QMPIN_GOLDEN_OUT");
	auto_free char *name = xasprintf("%s.txt", stem);
	size_t len;

	if (dir != NULL) {
		auto_free char *path = xasprintf("%s/%s", dir, name);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		(void)fputs(text, file);
		(void)fclose(file);
	} else {
		auto_free char *wanted = read_data(name, &len);

		if (strcmp(wanted, text) != 0)
			fail_msg("%s differs; what came out:\n%s", name, text);
	}
}

static void
configurations_are_understood_as_they_were_reviewed(void **state)
{
	auto_free char *path = data_path("");
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned int n = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *suffix = strstr(entry->d_name, ".conf");
		struct vmconf c;
		size_t len;

		if (suffix == NULL || suffix[5] != '\0')
			continue;
		auto_free char *conf = read_data(entry->d_name, &len);
		auto_free char *stem =
			xmemdupz(entry->d_name, (size_t)(suffix - entry->d_name));

		assert_int_equal(vmconf_parse(conf, len, &c), 0);
		auto_free char *text = print_all(&c);

		compare(stem, text);
		vmconf_fini(&c);
		n++;
	}
	(void)closedir(dir);
	assert_true(n >= CONFS_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_are_understood_as_they_were_reviewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
