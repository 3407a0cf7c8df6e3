// SPDX-License-Identifier: MIT
/* Files of a host's configuration: which there are, and which overrides which. What is
 * in them is settings.c's. */
#include "config.h"

#include "conf/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/inifile.h"

#define CONF_D_MAX 1000

static void
add(struct sources *s, const char *name, const char *text, size_t len)
{
	struct source *new;

	s->list = xgrow(s->list, s->n, &s->cap, sizeof(*s->list));
	new = &s->list[s->n++];
	*new = (struct source){xstrdup(name), xmemdupz(text, len), len};
}

/* Up to @cap bytes. Returns their number or a negative errno. */
static ssize_t
read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Add the file at @path. O_NONBLOCK: opening a FIFO must not wait for its writer. */
static int
read_file(struct sources *s, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_free char *text = NULL;
	struct stat st;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, path, 0, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, path, 0, "not a regular file");
	text = xcalloc(
		1, INIFILE_BYTES_MAX + 1); /* one more than settings_parse takes */
	len = read_all(fd, text, INIFILE_BYTES_MAX + 1);
	if (len < 0)
		return err_set(e, (int)len, path, 0, "%s", strerror((int)-len));
	add(s, path, text, (size_t)len);
	return 0;
}

static int
is_conf_name(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".conf") == 0;
}

/* Byte order, the same in every locale. */
static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
read_names(
	struct sources *s, const char *dir, struct dirent **names, int n, struct err *e)
{
	if (n > CONF_D_MAX)
		return err_set(e, -EINVAL, dir, 0, "more than %d files", CONF_D_MAX);
	for (int i = 0; i < n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names[i]->d_name);
		int r = read_file(s, path, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_dir(struct sources *s, const char *dir, struct err *e)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_conf_name, compare_names);
	int r;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_set(e, -errno, dir, 0, "%s", strerror(errno));
	r = read_names(s, dir, names, n, e);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

/* What is in /etc/qmpin, or in a directory that stands for it. */
static int
read_tree(struct sources *s, const char *tree, struct err *e)
{
	auto_free char *path = xasprintf("%s/qmpin.conf", tree);
	auto_free char *dir = xasprintf("%s/conf.d", tree);
	struct err missing = ERR_NONE;
	int r = read_file(s, path, &missing);

	if (r < 0 && r != -ENOENT) {
		*e = missing;
		return r;
	}
	return read_dir(s, dir, e);
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
sources_read(const char *root, const char *file, struct sources *out, struct err *e)
{
	auto_free char *tree = xasprintf("%s/etc/qmpin", root != NULL ? root : "");
	struct sources s = {0};
	int r;

	if (file != NULL && !is_directory(file))
		r = read_file(&s, file, e);
	else
		r = read_tree(&s, file != NULL ? file : tree, e);
	if (r < 0)
		sources_fini(&s);
	else
		*out = s;
	return r;
}

void
sources_fini(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i].name);
		free(s->list[i].text);
	}
	free(s->list);
	*s = (struct sources){0};
}

static int
parse(struct settings *c, const struct source *s, enum settings_origin origin,
	struct err *e)
{
	return settings_parse(c, s->text, s->len, s->name, origin, e);
}

int
sources_parse(const struct sources *s, const struct source *under, struct settings *out,
	struct err *e)
{
	struct settings c;
	int r = 0;

	settings_init(&c);
	if (under != NULL)
		r = parse(&c, under, SETTINGS_ORIGIN_CLUSTER, e);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = parse(&c, &s->list[i], SETTINGS_ORIGIN_CONFIG, e);
	if (r < 0)
		settings_fini(&c);
	else
		*out = c;
	return r;
}
