// SPDX-License-Identifier: MIT
/*
 * Two forms are read: "... <- {json}" lines, and JSON files in which messages lie in
 * arrays and under names such as "reply" and "events".
 */
#include "config.h"

#include "qmp_transcripts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define DATA "tests/data/qmp"

const char *
data_path(const char *path, char *buf, size_t size)
{
	const char *srcdir = getenv("srcdir");

	snprintf(buf, size, "%s/%s", srcdir != NULL ? srcdir : ".", path);
	return buf;
}

char *
data_text(const char *name)
{
	struct strbuf text = {0};
	char path[512];
	char chunk[4096];
	size_t n;
	FILE *f;

	f = fopen(data_path(name, path, sizeof(path)), "re");
	if (f == NULL)
		fail_msg("%s cannot be read", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&text, chunk, n);
	fclose(f);
	return strbuf_take(&text);
}

/* Takes @object over. */
static void
add(struct transcript *t, char *object)
{
	t->objects = xgrow(t->objects, t->n, &t->cap, sizeof(*t->objects));
	t->objects[t->n++] = object;
}

static bool
is_message(const json_t *value)
{
	return json_object_get(value, "QMP") != NULL ||
	       json_object_get(value, "return") != NULL ||
	       json_object_get(value, "error") != NULL ||
	       json_object_get(value, "event") != NULL;
}

static void
add_json(struct transcript *t, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (is_message(value)) {
		add(t, json_dumps(value, 0));
		return;
	}
	json_array_foreach (value, i, item) {
		add_json(t, item);
	}
	json_object_foreach (value, key, item) {
		add_json(t, item);
	}
}

static void
add_lines(struct transcript *t, char *text)
{
	char *save = NULL;
	char *line;

	for (line = strtok_r(text, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		char *object = strstr(line, " <- {");

		if (object != NULL)
			add(t, xstrdup(object + 4));
	}
}

void
transcript_load(struct transcript *t, const char *name)
{
	auto_free char *path = xasprintf(DATA "/%s", name);
	auto_free char *text = data_text(path);
	const char *dot = strrchr(name, '.');

	if (strcmp(dot, ".json") == 0) {
		json_t *value = json_loads(text, 0, NULL);

		assert_non_null(value);
		add_json(t, value);
		json_decref(value);
	} else {
		add_lines(t, text);
	}
}

static int
is_transcript(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strchr(entry->d_name, '.') != NULL;
}

void
transcripts_load(struct transcript *t)
{
	struct dirent **entries;
	char path[512];
	int n;

	transcript_load(t, "qemu-11.1-private-monitor.txt");
	n = scandir(data_path(DATA "/qemu-7.2", path, sizeof(path)), &entries,
		is_transcript, alphasort);
	assert_true(n > 40);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "qemu-7.2/%s", entries[i]->d_name);
		transcript_load(t, path);
		free(entries[i]);
	}
	free(entries);
	assert_true(t->n > 100);
}

void
transcript_fini(struct transcript *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->objects[i]);
	free(t->objects);
	*t = (struct transcript){0};
}

void
transcript_bytes(const struct transcript *t, const char *eol, struct strbuf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		strbuf_adds(out, t->objects[i]);
		strbuf_adds(out, eol);
	}
}

unsigned int
next_random(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % below;
}
