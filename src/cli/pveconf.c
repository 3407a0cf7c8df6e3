// SPDX-License-Identifier: MIT
/* Lines and words of Proxmox's files. Pure. */
#include "config.h"

#include "cli/pveconf.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

#define LOCAL_PATH "/var/lib/vz"
#define MOUNTS "/mnt/pve/" /* of storages that have no path of their own */

/* Programs, calls and properties by which masks or cpusets are changed. */
static const char *const pinning_words[] = {
	"taskset", "sched_setaffinity", "cset", "cpuset", "AllowedCPUs"};

/* A line, without its end. */
struct span {
	const char *s;
	size_t len;
};

static bool
next_line(const char **text, struct span *line)
{
	if (**text == '\0')
		return false;
	line->s = *text;
	line->len = strcspn(*text, "\n");
	*text += line->len + ((*text)[line->len] == '\n');
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span
trimmed(struct span t)
{
	while (t.len > 0 && is_blank(t.s[0])) {
		t.s++;
		t.len--;
	}
	while (t.len > 0 && is_blank(t.s[t.len - 1]))
		t.len--;
	return t;
}

/* The value of "key: value". */
static bool
has_key(struct span line, const char *key, struct span *value)
{
	size_t len = strlen(key);

	if (line.len <= len || strncmp(line.s, key, len) != 0 || line.s[len] != ':')
		return false;
	*value = trimmed((struct span){line.s + len + 1, line.len - len - 1});
	return true;
}

static bool
is_word_char(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool
has_word(struct span line, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= line.len; i++) {
		if (strncmp(line.s + i, word, len) == 0 &&
			(i == 0 || !is_word_char(line.s[i - 1])) &&
			(i + len == line.len || !is_word_char(line.s[i + len])))
			return true;
	}
	return false;
}

static const char *
find_word(struct span line)
{
	for (size_t i = 0; i < ARRAY_LEN(pinning_words); i++) {
		if (has_word(line, pinning_words[i]))
			return pinning_words[i];
	}
	return NULL;
}

void
pveconf_parse(const char *text, struct pveconf *out)
{
	struct span line;
	struct span value;

	*out = (struct pveconf){.hookscript = ""};
	while (next_line(&text, &line) && line.s[0] != '[') {
		if (has_key(line, "hookscript", &value) &&
			value.len < sizeof(out->hookscript)) {
			memcpy(out->hookscript, value.s, value.len);
			out->hookscript[value.len] = '\0';
		} else if (has_key(line, "pinning", &value)) {
			out->pinning = true;
		} else if (has_key(line, "args", &value)) {
			out->in_args = find_word(value);
		}
	}
}

const char *
pveconf_pins(const char *script)
{
	struct span line;

	while (next_line(&script, &line)) {
		struct span code = trimmed(line);
		const char *word =
			code.len > 0 && code.s[0] != '#' ? find_word(code) : NULL;

		if (word != NULL)
			return word;
	}
	return NULL;
}

/* The path of a storage: a line "dir: local", those below it begin with a blank. */
static bool
find_storage(const char *text, struct span id, struct span *path)
{
	bool inside = false;
	struct span line;

	while (next_line(&text, &line)) {
		struct span t = trimmed(line);
		const char *colon = memchr(t.s, ':', t.len);

		if (line.len > 0 && !is_blank(line.s[0])) {
			struct span name = {t.s, 0};

			if (colon != NULL)
				name = trimmed((struct span){
					colon + 1, (size_t)(t.s + t.len - colon) - 1});
			inside = name.len == id.len &&
				 strncmp(name.s, id.s, id.len) == 0;
		} else if (inside && t.len > 5 && strncmp(t.s, "path", 4) == 0 &&
			   is_blank(t.s[4])) {
			*path = trimmed((struct span){t.s + 4, t.len - 4});
			return true;
		}
	}
	return false;
}

bool
pveconf_script_path(
	const char *storage, const char *volume, char out[2 * PVECONF_TEXT_MAX])
{
	const char *colon = strchr(volume, ':');
	struct span id;
	struct span path;

	if (colon == NULL || colon == volume || strstr(volume, "..") != NULL ||
		memchr(volume, '/', (size_t)(colon - volume)) != NULL)
		return false;
	id = (struct span){volume, (size_t)(colon - volume)};
	if (find_storage(storage, id, &path) && path.len < PVECONF_TEXT_MAX &&
		path.s[0] == '/')
		(void)snprintf(out, (size_t)2 * PVECONF_TEXT_MAX, "%.*s/%s",
			(int)path.len, path.s, colon + 1);
	else if (id.len == 5 && strncmp(id.s, "local", 5) == 0)
		(void)snprintf(
			out, (size_t)2 * PVECONF_TEXT_MAX, LOCAL_PATH "/%s", colon + 1);
	else
		(void)snprintf(out, (size_t)2 * PVECONF_TEXT_MAX, MOUNTS "%.*s/%s",
			(int)id.len, id.s, colon + 1);
	return true;
}
