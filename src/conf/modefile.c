// SPDX-License-Identifier: MIT
/*
 * Modes that were made permanent: read with the settings' own reader, written as a
 * whole.
 */
#include "config.h"

#include "conf/modefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "conf/inifile.h"

/* Hidden, so no reader of conf.d takes them for files of its own. */
#define TEMP_NAME "." MODEFILE_NAME ".new"
#define LOCK_NAME "." MODEFILE_NAME ".lock"

static const char heading[] =
	"# Modes of single VMs, written by \"qmpin mode ID MODE --permanent\" and taken\n"
	"# out by \"qmpin mode ID --reset --permanent\". Change a mode here by hand as you\n"
	"# like, then \"qmpin reload\"; other keys and comments go into another file.\n";

static int
fail(struct err *e, const struct modefile *f, const char *what, int errno_value)
{
	return err_set(
		e, -errno_value, f->path, 0, "%s: %s", what, strerror(errno_value));
}

static int
on_ini_section(void *owner UNUSED, const struct inifile_item *item, struct err *e)
{
	if (str_has_prefix(item->section, "vm ") &&
		settings_id_valid(item->section + strlen("vm ")))
		return 0;
	return err_set(e, -EINVAL, item->file, item->line,
		"[%s] is not for this file: put it into another one of conf.d",
		item->section);
}

static int
on_ini_value(void *owner UNUSED, const struct inifile_item *item, struct err *e)
{
	if (str_equal(item->key, "mode"))
		return 0;
	return err_set(e, -EINVAL, item->file, item->line,
		"\"%s\" is not for this file: put it into another one of conf.d",
		item->key);
}

static int
parse(struct modefile *f, struct err *e)
{
	static const struct inifile_handler handler = {on_ini_section, on_ini_value};
	int r;

	r = inifile_parse(f->before, f->before_len, f->path, &handler, NULL, e);
	if (r < 0)
		return r;
	return settings_parse(&f->modes, f->before, f->before_len, f->path,
		SETTINGS_ORIGIN_CONFIG, e);
}

/* All of a file into new memory, one byte more than may be. */
static int
read_text(struct modefile *f, int fd, struct err *e)
{
	size_t cap = INIFILE_BYTES_MAX + 1;
	ssize_t n;

	f->before = xcalloc(1, cap);
	n = io_read_all(fd, f->before, cap);
	if (n < 0)
		return fail(e, f, "cannot read", errno);
	f->before_len = (size_t)n;
	return 0;
}

/* O_NONBLOCK: a FIFO must not make us wait. */
static int
load(struct modefile *f, struct err *e)
{
	auto_close int fd = openat(f->dirfd, MODEFILE_NAME,
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, f, "cannot open", errno);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, f->path, 0, "not a regular file");
	f->existed = true;
	r = read_text(f, fd, e);
	return r < 0 ? r : parse(f, e);
}

/* With a file that nobody else may open: whoever could read what is locked could hold
 * the lock for ever. One that is no longer there is of somebody who has just ended. */
static int
lock(struct modefile *f, struct err *e)
{
	struct stat st;

	f->lock = openat(f->dirfd, LOCK_NAME,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		0600);
	if (f->lock < 0)
		return fail(e, f, "cannot lock", errno);
	if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
		f->locked = fstat(f->lock, &st) == 0 && st.st_nlink > 0;
	else if (errno != EWOULDBLOCK)
		return fail(e, f, "cannot lock", errno);
	if (f->locked)
		return 0;
	return err_set(e, -EBUSY, f->path, 0, "another qmpin writes it now: try again");
}

/* As readable as the file, whatever the umask. Where it fails, opening says why. */
static bool
make_dir(const char *path)
{
	mode_t mask = umask(0022);
	bool made = mkdir(path, 0755) == 0;

	(void)umask(mask);
	return made;
}

static int
open_dir(struct modefile *f, const char *tree, struct err *e)
{
	auto_free char *dir = xasprintf("%s/conf.d", tree);

	f->made_tree = make_dir(tree);
	f->made_dir = make_dir(dir);
	f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dirfd < 0)
		return err_set(e, -errno, dir, 0, "cannot open: %s", strerror(errno));
	return 0;
}

int
modefile_open(struct modefile *f, const char *tree, struct err *e)
{
	int r;

	*f = (struct modefile){.dirfd = -1, .lock = -1};
	f->path = xasprintf("%s/conf.d/%s", tree, MODEFILE_NAME);
	settings_init(&f->modes);
	r = open_dir(f, tree, e);
	if (r == 0)
		r = lock(f, e);
	if (r == 0)
		r = load(f, e);
	if (r < 0)
		modefile_close(f);
	return r;
}

/* Cuts the path. */
static void
remove_parent(char *path)
{
	*strrchr(path, '/') = '\0';
	(void)rmdir(path); /* refused when there is something in it */
}

void
modefile_close(struct modefile *f)
{
	if (f->locked)
		(void)unlinkat(f->dirfd, LOCK_NAME, 0);
	if (f->made_dir || f->made_tree)
		remove_parent(f->path);
	if (f->made_tree)
		remove_parent(f->path);
	if (f->lock >= 0)
		(void)close(f->lock);
	if (f->dirfd >= 0)
		(void)close(f->dirfd);
	free(f->path);
	free(f->before);
	settings_fini(&f->modes);
	*f = (struct modefile){.dirfd = -1, .lock = -1};
}

int
modefile_set(struct modefile *f, const char *id, enum place_mode mode, struct err *e)
{
	auto_free char *text =
		xasprintf("[vm %s]\nmode = %s\n", id, place_mode_name(mode));

	return settings_parse(
		&f->modes, text, strlen(text), f->path, SETTINGS_ORIGIN_CONFIG, e);
}

void
modefile_unset(struct modefile *f, const char *id)
{
	for (size_t i = 0; i < f->modes.n_vms; i++) {
		if (str_equal(f->modes.vms[i].id, id))
			f->modes.vms[i].has_mode = false;
	}
}

static void
add_vms(const struct modefile *f, struct strbuf *text)
{
	for (size_t i = 0; i < f->modes.n_vms; i++) {
		const struct settings_vm *vm = &f->modes.vms[i];

		if (vm->has_mode)
			strbuf_addf(text, "\n[vm %s]\nmode = %s\n", vm->id,
				place_mode_name(vm->mode));
	}
}

char *
modefile_format(const struct modefile *f)
{
	struct strbuf text = {0};
	char *out;

	strbuf_adds(&text, heading);
	add_vms(f, &text);
	out = xstrdup(strbuf_text(&text));
	strbuf_fini(&text);
	return out;
}

/* The temporary file, on disk. */
static int
write_temp(const struct modefile *f, const char *text, size_t len)
{
	auto_close int fd = openat(f->dirfd, TEMP_NAME,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = io_write_all(fd, text, len);
	/* whatever the umask: qmpin config check is for everybody */
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

static int
replace(const struct modefile *f, const char *text, size_t len, struct err *e)
{
	int r;

	(void)unlinkat(f->dirfd, TEMP_NAME, 0); /* of one that was killed */
	r = write_temp(f, text, len);
	if (r == 0 && renameat(f->dirfd, TEMP_NAME, f->dirfd, MODEFILE_NAME) < 0)
		r = -errno;
	if (r == 0) {
		(void)fsync(f->dirfd);
		return 0;
	}
	(void)unlinkat(f->dirfd, TEMP_NAME, 0);
	return fail(e, f, "cannot write", -r);
}

static int
remove_file(const struct modefile *f, struct err *e)
{
	if (unlinkat(f->dirfd, MODEFILE_NAME, 0) < 0 && errno != ENOENT)
		return fail(e, f, "cannot remove", errno);
	(void)fsync(f->dirfd);
	return 0;
}

int
modefile_save(struct modefile *f, struct err *e)
{
	auto_free char *text = modefile_format(f);

	if (strlen(text) == strlen(heading))
		return remove_file(f, e);
	return replace(f, text, strlen(text), e);
}

int
modefile_undo(struct modefile *f, struct err *e)
{
	return f->existed ? replace(f, f->before, f->before_len, e) : remove_file(f, e);
}
