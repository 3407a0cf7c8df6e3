// SPDX-License-Identifier: MIT
/* The files of the configuration. Who opens one looks what it is: a name may be that of
 * a FIFO. */
#include "config.h"

#include "conf/conffiles.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"

#define CONF_D_MAX 1000

static void
add(struct conffiles *f, char *path)
{
	f->paths = xgrow(f->paths, f->n, &f->cap, sizeof(f->paths[0]));
	f->paths[f->n++] = path;
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
list_dir(struct conffiles *f, struct err *e)
{
	struct dirent **names;
	int n = scandir(f->dir, &names, is_conf_name, compare_names);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_set(e, -errno, f->dir, 0, "%s", strerror(errno));
	for (int i = 0; i < n; i++) {
		add(f, xasprintf("%s/%s", f->dir, names[i]->d_name));
		free(names[i]);
	}
	free(names);
	if (n > CONF_D_MAX)
		return err_set(e, -EINVAL, f->dir, 0, "more than %d files", CONF_D_MAX);
	return 0;
}

/* What is in /etc/qmpin, or in a directory that stands for it. */
static int
list_tree(struct conffiles *f, const char *tree, struct err *e)
{
	auto_free char *path = xasprintf("%s/qmpin.conf", tree);
	struct stat st;

	if (stat(path, &st) == 0 || errno != ENOENT)
		add(f, take_ptr(&path));
	f->dir = xasprintf("%s/conf.d", tree);
	return list_dir(f, e);
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
conffiles_list(const char *root, const char *file, struct conffiles *out, struct err *e)
{
	auto_free char *tree = xasprintf("%s/etc/qmpin", root != NULL ? root : "");
	struct conffiles f = {0};
	int r = 0;

	if (file != NULL && !is_directory(file))
		add(&f, xstrdup(file));
	else
		r = list_tree(&f, file != NULL ? file : tree, e);
	if (r < 0)
		conffiles_fini(&f);
	else
		*out = f;
	return r;
}

void
conffiles_fini(struct conffiles *files)
{
	xfree_texts(files->paths, files->n);
	free(files->dir);
	*files = (struct conffiles){0};
}
