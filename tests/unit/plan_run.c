// SPDX-License-Identifier: MIT
/* Runs of qmpin plan, and what is in the lines that come out. */
#include "config.h"

#include "plan_run.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "topo/cpuset.h"

char *
plan_data_file(const char *name)
{
	const char *srcdir = getenv("srcdir");

	return xasprintf("%s/tests/data/%s", srcdir != NULL ? srcdir : ".", name);
}

char *
plan_new_file(const struct ctl_world *w, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

void
plan_unlink_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	free(path);
}

unsigned int
plan_count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

void
plan_run(struct ctl_world *w, const char *scenario, const char *more, const char *value,
	struct cli_result *r)
{
	auto_free char *xml = plan_data_file("latency/two-packages.xml");

	cli_run(w,
		&(struct cli_how){
			.args = {"plan", "--topology", xml, scenario, more, value}},
		r);
}

char *
plan_last_mask(const char *lines, const char *id)
{
	const char *begin = strrchr(lines, '\n');
	struct cpuset set = CPUSET_NONE;
	char *text = xcalloc(CPUSET_TEXT_MAX, 1);
	json_t *list;

	while (begin > lines && begin[-1] != '\n')
		begin--;
	auto_json json_t *line = json_loads(begin, 0, NULL);
	assert_non_null(line);
	list = json_object_get(json_object_get(line, "vms"), id);
	list = json_array_get(json_object_get(list, "vcpus"), 0);
	assert_non_null(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		cpuset_add(&set,
			(unsigned int)json_integer_value(json_array_get(list, i)));
	return cpuset_format(&set, text, CPUSET_TEXT_MAX);
}
