// SPDX-License-Identifier: MIT
/*
 * The monitor sockets in a directory. Keeps nothing: discovery compares what is found
 * here with what it has told.
 */
#include "config.h"

#include "vm/sockdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

#define VMID_DIGITS_MIN 3u
#define VMID_DIGITS_MAX 9u

bool
sockdir_same(const struct sockdir_key *a, const struct sockdir_key *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->born_ns == b->born_ns;
}

int
sockdir_parse_name(const char *name)
{
	unsigned int digits = 0;
	int vmid = 0;

	if (name[0] == '0')
		return -1;
	for (; name[digits] >= '0' && name[digits] <= '9'; digits++) {
		if (digits == VMID_DIGITS_MAX)
			return -1;
		vmid = vmid * 10 + (name[digits] - '0');
	}
	if (digits < VMID_DIGITS_MIN || !str_equal(name + digits, ".qmp"))
		return -1;
	return vmid;
}

static int
look_at(int dirfd, const char *path, struct sockdir_key *out)
{
	struct statx st;

	if (statx(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		    STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISSOCK(st.stx_mode))
		return -ENOENT;
	*out = (struct sockdir_key){
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.ino = st.stx_ino,
	};
	if ((st.stx_mask & STATX_BTIME) != 0)
		out->born_ns = (uint64_t)st.stx_btime.tv_sec * UINT64_C(1000000000) +
			       st.stx_btime.tv_nsec;
	return 0;
}

int
sockdir_look(const char *dir, int vmid, struct sockdir_key *out)
{
	auto_free char *path = xasprintf("%s/%d.qmp", dir, vmid);

	return look_at(AT_FDCWD, path, out);
}

int
sockdir_each(const char *dir,
	void (*on_socket)(void *owner, int vmid, const struct sockdir_key *key),
	void *owner)
{
	DIR *stream = opendir(dir);
	const struct dirent *d;
	int unseen = 0;
	int r;

	if (stream == NULL)
		return -errno;
	for (;;) {
		struct sockdir_key key;
		int vmid;

		errno = 0; /* readdir's end and its failure are both NULL */
		d = readdir(stream);
		if (d == NULL)
			break;
		vmid = sockdir_parse_name(d->d_name);
		if (vmid < 0)
			continue;
		r = look_at(dirfd(stream), d->d_name, &key);
		if (r == 0)
			on_socket(owner, vmid, &key);
		else if (r != -ENOENT) /* else it has gone, or is no socket */
			unseen = r;
	}
	r = errno != 0 ? -errno : unseen;
	closedir(stream);
	return r;
}
