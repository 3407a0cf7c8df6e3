// SPDX-License-Identifier: MIT
/*
 * The files of -o. Invariant: the name stands for the old file or for the whole new
 * one, never for part of it.
 */
#include "config.h"

#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/xalloc.h"

/* Of a file's name in a message: the reason behind it must not be cut off. */
#define NAME_SHOWN 150

static const struct {
	enum outfile_kind kind;
	const char *end;
} kinds_known[] = {
	{OUTFILE_CSV, ".csv"},
	{OUTFILE_JSON, ".json"},
	{OUTFILE_XML, ".xml"},
	{OUTFILE_SVG, ".svg"},
};

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcasecmp(text + len - strlen(end), end) == 0;
}

int
outfile_kind(
	const char *path, unsigned int kinds, enum outfile_kind *out, struct err *e)
{
	struct strbuf possible = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds_known); i++) {
		if ((kinds & kinds_known[i].kind) == 0)
			continue;
		if (ends_with(path, kinds_known[i].end)) {
			*out = kinds_known[i].kind;
			strbuf_fini(&possible);
			return 0;
		}
		kinds &= ~(unsigned int)kinds_known[i].kind;
		strbuf_addf(&possible, "%s%s",
			possible.len == 0 ? ""
			: kinds != 0	  ? ", "
					  : " or ",
			kinds_known[i].end);
	}
	(void)err_set(e, -EINVAL, NULL, 0, "cannot write %.*s: the name must end in %s",
		NAME_SHOWN, path, strbuf_text(&possible));
	strbuf_fini(&possible);
	return -EINVAL;
}

static int
explain(struct err *e, int r, const char *path)
{
	return err_set(
		e, r, NULL, 0, "cannot write %.*s: %s", NAME_SHOWN, path, strerror(-r));
}

/* The directory of @path with its slash, "./" where it names none. */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? xmemdupz(path, (size_t)(slash - path) + 1)
			     : xstrdup("./");
}

/* Something is there that is no file, and is not to be replaced by one. */
static bool
is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int
outfile_check(const char *path, struct err *e)
{
	auto_free char *dir = directory_of(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return explain(e, -EISDIR, path);
	if (access(is_special(path) ? path : dir, W_OK) < 0)
		return explain(e, -errno, path);
	return 0;
}

/* As readable as any file that the user makes: mkstemp is stricter. */
static int
open_to_all(int fd)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
}

static int
open_new(struct outfile *f)
{
	auto_free char *dir = directory_of(f->path);
	int r;

	if (is_special(f->path)) {
		f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return f->fd < 0 ? -errno : 0;
	}
	f->temporary = xasprintf("%s.qmpin-XXXXXX", dir);
	f->fd = mkostemp(f->temporary, O_CLOEXEC);
	r = f->fd < 0 ? -errno : open_to_all(f->fd);
	if (f->fd < 0) { /* there is no such file to remove */
		free(f->temporary);
		f->temporary = NULL;
	}
	return r;
}

int
outfile_open(struct outfile *f, const char *path, struct err *e)
{
	struct outfile new = {.path = path, .fd = -1};
	int r = open_new(&new);

	if (r < 0) {
		outfile_drop(&new);
		return explain(e, r, path);
	}
	*f = new;
	return 0;
}

int
outfile_add(struct outfile *f, const char *bytes, size_t len, struct err *e)
{
	int r = io_write_all(f->fd, bytes, len);

	return r < 0 ? explain(e, r, f->path) : 0;
}

void
outfile_drop(struct outfile *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->temporary != NULL)
		(void)unlink(f->temporary);
	free(f->temporary);
	*f = (struct outfile){.fd = -1};
}

int
outfile_commit(struct outfile *f, struct err *e)
{
	int r = 0;

	/* some file systems tell only here that there is no room */
	if (f->temporary != NULL && fsync(f->fd) < 0)
		r = -errno;
	if (close(f->fd) < 0 && r == 0)
		r = -errno;
	f->fd = -1;
	if (r == 0 && f->temporary != NULL && rename(f->temporary, f->path) < 0)
		r = -errno;
	if (r < 0)
		r = explain(e, r, f->path);
	else {
		free(f->temporary); /* has its name now */
		f->temporary = NULL;
	}
	outfile_drop(f);
	return r;
}

int
outfile_write(const char *path, const char *bytes, size_t len, struct err *e)
{
	struct outfile f;
	int r = outfile_open(&f, path, e);

	if (r < 0)
		return r;
	r = outfile_add(&f, bytes, len, e);
	if (r == 0)
		return outfile_commit(&f, e);
	outfile_drop(&f);
	return r;
}
