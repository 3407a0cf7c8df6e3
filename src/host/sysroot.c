// SPDX-License-Identifier: MIT
/*
 * The check of a foreign tree: every entry below sys and proc is looked at once, none
 * is opened. What the files say is checked by those who read them.
 */
#include "config.h"

#include "host/sysroot.h"

#include <errno.h>
#include <fts.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/str.h"
#include "base/xalloc.h"

/* /proc/cpuinfo of the largest machines has 3 MB; a copied /sys about a million files.
 */
#define FILE_BYTES_MAX (16 << 20)
#define ENTRIES_MAX 2000000u

static int
check_link(const char *path, const char *real, struct err *e)
{
	auto_free char *target = realpath(path, NULL);
	size_t len = strlen(real);

	/* a dangling or circular one is as good as no file */
	if (target == NULL)
		return 0;
	if (strncmp(target, real, len) == 0 &&
		(str_has_prefix(target + len, "/sys/") ||
			str_has_prefix(target + len, "/proc/")))
		return 0;
	return err_set(e, -EINVAL, path, 0, "leads out of the tree");
}

static int
check_entry(const FTSENT *entry, const char *real, struct err *e)
{
	switch (entry->fts_info) {
	case FTS_D:
	case FTS_DP:
		return 0;
	case FTS_F:
		if (entry->fts_statp->st_size > FILE_BYTES_MAX)
			return err_set(e, -ERANGE, entry->fts_path, 0,
				"more than %d bytes", FILE_BYTES_MAX);
		return 0;
	case FTS_SL:
	case FTS_SLNONE:
		return check_link(entry->fts_path, real, e);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_set(e, -entry->fts_errno, entry->fts_path, 0,
			"cannot be looked at: %s", strerror(entry->fts_errno));
	default:
		return err_set(e, -EINVAL, entry->fts_path, 0,
			"neither a file nor a directory");
	}
}

static int
walk(char *top, const char *real, struct err *e)
{
	char *const tops[] = {top, NULL};
	unsigned int n = 0;
	FTSENT *entry;
	FTS *fts;
	int r = 0;

	fts = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (fts == NULL)
		return err_set(
			e, -errno, top, 0, "cannot be opened: %s", strerror(errno));
	while (r == 0 && (entry = fts_read(fts)) != NULL) {
		r = check_entry(entry, real, e);
		if (r == 0 && ++n > ENTRIES_MAX)
			r = err_set(
				e, -ERANGE, top, 0, "more than %u files", ENTRIES_MAX);
	}
	(void)fts_close(fts);
	return r;
}

/* A top directory: ours when the kernel itself fills it. */
static int
check_top(const char *real, const char *name, struct err *e)
{
	auto_free char *top = xasprintf("%s/%s", real, name);
	struct statfs fs;
	struct stat st;

	if (lstat(top, &st) < 0 && errno == ENOENT)
		return 0;
	if (statfs(top, &fs) < 0)
		return err_set(
			e, -errno, top, 0, "cannot be read: %s", strerror(errno));
	if (fs.f_type == SYSFS_MAGIC || fs.f_type == PROC_SUPER_MAGIC)
		return err_set(e, -EINVAL, top, 0, "belongs to this machine");
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -EINVAL, top, 0, "not a directory");
	return walk(top, real, e);
}

int
sysroot_check(const char *dir, char **real, struct err *e)
{
	auto_free char *path = realpath(dir, NULL);
	auto_free char *cpus = NULL;
	struct stat st;
	int r;

	if (path == NULL)
		return err_set(
			e, -errno, dir, 0, "cannot be read: %s", strerror(errno));
	cpus = xasprintf("%s/sys/devices/system/cpu", path);
	if (stat(cpus, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, -ENOENT, dir, 0,
			"no directory sys/devices/system/cpu in it");
	r = check_top(path, "sys", e);
	if (r == 0)
		r = check_top(path, "proc", e);
	if (r == 0)
		*real = take_ptr(&path);
	return r;
}
