// SPDX-License-Identifier: MIT
/* Words of programs that pin, and where storages keep scripts. Pure. */
#include "config.h"

#include "pve/pinners.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "pve/pvetext.h"

#define LOCAL_PATH "/var/lib/vz"
#define MOUNTS "/mnt/pve/" /* of storages that have no path of their own */

/* Programs, calls and properties by which masks or cpusets are changed. */
static const char *const pinning_words[] = {
	"taskset", "sched_setaffinity", "cset", "cpuset", "AllowedCPUs"};

static bool
is_word_char(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool
has_word(struct pvetext line, const char *word)
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
find_word(struct pvetext line)
{
	for (size_t i = 0; i < ARRAY_LEN(pinning_words); i++) {
		if (has_word(line, pinning_words[i]))
			return pinning_words[i];
	}
	return NULL;
}

const char *
pinners_in_args(const char *args)
{
	return find_word((struct pvetext){args, strlen(args)});
}

const char *
pinners_in_script(const char *script)
{
	struct pvetext rest = {script, strlen(script)};
	struct pvetext line;

	while (pvetext_line(&rest, &line)) {
		struct pvetext code = pvetext_trim(line);
		const char *word =
			code.len > 0 && code.s[0] != '#' ? find_word(code) : NULL;

		if (word != NULL)
			return word;
	}
	return NULL;
}

/* The id of "dir: local". */
static struct pvetext
storage_id(struct pvetext head)
{
	struct pvetext type;

	(void)pvetext_item(&head, ":", &type);
	return pvetext_trim(head);
}

/* The path of a storage; the lines below its head begin with a blank. */
static bool
find_storage(const char *text, struct pvetext id, struct pvetext *path)
{
	struct pvetext rest = {text, strlen(text)};
	struct pvetext line;
	bool inside = false;

	while (pvetext_line(&rest, &line)) {
		struct pvetext t = pvetext_trim(line);

		if (t.len == 0)
			continue;
		if (t.s == line.s) {
			struct pvetext name = storage_id(t);

			inside =
				name.len == id.len && memcmp(name.s, id.s, id.len) == 0;
		} else if (inside && t.len > 5 && memcmp(t.s, "path", 4) == 0 &&
			   (t.s[4] == ' ' || t.s[4] == '\t')) {
			*path = pvetext_trim((struct pvetext){t.s + 4, t.len - 4});
			return true;
		}
	}
	return false;
}

bool
pinners_script_path(const char *storage, const char *volume, char out[PINNERS_PATH_MAX])
{
	const char *colon = strchr(volume, ':');
	char path[PINNERS_PATH_MAX];
	struct pvetext id;
	struct pvetext found;
	int n;

	if (colon == NULL || colon == volume || strstr(volume, "..") != NULL ||
		memchr(volume, '/', (size_t)(colon - volume)) != NULL)
		return false;
	id = (struct pvetext){volume, (size_t)(colon - volume)};
	if (id.len >= PINNERS_PATH_MAX)
		return false;
	if (find_storage(storage, id, &found) && found.len < PINNERS_PATH_MAX &&
		found.s[0] == '/')
		n = snprintf(path, sizeof(path), "%.*s/%s", (int)found.len, found.s,
			colon + 1);
	else if (pvetext_is(id, "local"))
		n = snprintf(path, sizeof(path), LOCAL_PATH "/%s", colon + 1);
	else
		n = snprintf(path, sizeof(path), MOUNTS "%.*s/%s", (int)id.len, id.s,
			colon + 1);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	memcpy(out, path, (size_t)n + 1);
	return true;
}
