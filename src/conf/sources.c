// SPDX-License-Identifier: MIT
/* Files of a host's configuration: their texts, and which overrides which. Which there
 * are is conffiles.c's, what is in them settings.c's. */
#include "config.h"

#include "conf/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "conf/conffiles.h"
#include "conf/inifile.h"

static void
add(struct sources *s, const char *name, const char *text, size_t len)
{
	struct source *new;

	s->list = xgrow(s->list, s->n, &s->cap, sizeof(*s->list));
	new = &s->list[s->n++];
	*new = (struct source){xstrdup(name), xmemdupz(text, len), len};
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
	len = io_read_all(fd, text, INIFILE_BYTES_MAX + 1);
	if (len < 0)
		return err_set(e, (int)len, path, 0, "%s", strerror((int)-len));
	add(s, path, text, (size_t)len);
	return 0;
}

int
sources_read(const char *root, const char *file, struct sources *out, struct err *e)
{
	struct conffiles files;
	struct sources s = {0};
	int r = conffiles_list(root, file, &files, e);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < files.n; i++)
		r = read_file(&s, files.paths[i], e);
	conffiles_fini(&files);
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
