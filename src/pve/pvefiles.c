// SPDX-License-Identifier: MIT
/*
 * The two files of the cluster are small and read at each look; pmxcfs counts no
 * changes of the one that is ours. Configurations of VMs are read when .version and
 * .vmlist say that they are others. Where these say nothing, as in an ordinary
 * directory, they are read at each look: local files cost little. Counters are read
 * before what they count, so that a change in between is seen the next time.
 */
#include "config.h"

#include "pve/pvefiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "pve/subjects.h"
#include "pve/vmconf.h"
#include "pve/vmlist.h"

#define VERSION_BYTES_MAX 65536u
/* The file of a VM moves from node to node, and may have gone where we look first. */
#define TRIES 2

/* What was told of a file. */
struct told {
	unsigned int subject; /* first, for subjects.h */
	bool known;
	enum pvefeed_kind kind; /* TEXT, NONE or UNREAD */
	uint64_t hash;		/* of what was said */
	bool placed;		/* place is where it was read */
	struct vmlist_place place;
	uint64_t start; /* of the counters that place is by */
};

struct pvefiles {
	char *dir;
	struct told files[PVEFEED_FILES];
	struct told *vms; /* ascending VMID */
	size_t n_vms, cap_vms;
	bool stamped; /* stamp is that of the last look at all VMs */
	struct vmlist_stamp stamp;
	bool pending; /* VMs were added since */
	struct strbuf text;
};

/* A look under way. */
struct look {
	struct pvefiles *files;
	bool all;
	int listed; /* 0: list is there, -ENOENT, or why it is not understood */
	struct vmlist list;
	pvefiles_teller *teller;
	void *owner;
};

struct pvefiles *
pvefiles_new(const char *dir)
{
	struct pvefiles *f = xcalloc(1, sizeof(*f));

	f->dir = xstrdup(dir);
	for (unsigned int i = 0; i < PVEFEED_FILES; i++)
		f->files[i].subject = i;
	return f;
}

void
pvefiles_free(struct pvefiles *f)
{
	strbuf_fini(&f->text);
	free(f->vms);
	free(f->dir);
	free(f);
}

static size_t
position(const struct pvefiles *f, unsigned int vmid)
{
	return subjects_position(f->vms, f->n_vms, sizeof(*f->vms), vmid);
}

static bool
is_there(const struct pvefiles *f, size_t at, unsigned int vmid)
{
	return at < f->n_vms && f->vms[at].subject == vmid;
}

void
pvefiles_add(struct pvefiles *f, unsigned int vmid)
{
	size_t at = position(f, vmid);

	if (is_there(f, at, vmid))
		return;
	f->vms = xgrow(f->vms, f->n_vms, &f->cap_vms, sizeof(*f->vms));
	memmove(f->vms + at + 1, f->vms + at, (f->n_vms - at) * sizeof(*f->vms));
	f->vms[at] = (struct told){.subject = vmid};
	f->n_vms++;
	f->pending = true;
}

void
pvefiles_remove(struct pvefiles *f, unsigned int vmid)
{
	size_t at = position(f, vmid);

	if (!is_there(f, at, vmid))
		return;
	f->n_vms--;
	memmove(f->vms + at, f->vms + at + 1, (f->n_vms - at) * sizeof(*f->vms));
}

/* ---- one file ---- */

static const char *
why_not(int error)
{
	return error == ELOOP ? "it is a symbolic link" : strerror(error);
}

/* Returns its descriptor, -ENOENT, or another errno with *why. A FIFO does not hold us
 * up, nor does a terminal become ours. */
static int
open_file(const char *path, const char **why)
{
	auto_close int fd =
		open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = errno == ENOTDIR ? -ENOENT : -errno;

		*why = why_not(errno);
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "it is no regular file";
		return -EINVAL;
	}
	return take_fd(&fd);
}

/* Into f->text. Returns 0, -ENOENT, or another errno with *why. */
static int
read_file(struct pvefiles *f, const char *path, size_t cap, const char **why)
{
	auto_close int fd = open_file(path, why);
	char chunk[16384];
	ssize_t n;

	strbuf_drop(&f->text, f->text.len);
	if (fd < 0)
		return fd;
	/* the size can change, and is zero for what pmxcfs makes up: count what comes
	 */
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;

			*why = why_not(errno);
			return r == -ENOENT ? -EIO : r;
		}
		if (f->text.len + (size_t)n > cap) {
			*why = "it is too long";
			return -EFBIG;
		}
		strbuf_add(&f->text, chunk, (size_t)n);
	}
	return 0;
}

/* ---- the whole ---- */

/* Whether there is a Proxmox below, not only the empty directory that pmxcfs is mounted
 * on. Returns 0 or a negative errno. */
static int
find_cluster(const struct pvefiles *f)
{
	static const char *const signs[] = {".version", "qemu-server"};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(signs) && r == -ENOENT; i++) {
		auto_free char *path = xasprintf("%s/%s", f->dir, signs[i]);
		struct stat st;

		r = stat(path, &st) < 0 ? -errno : 0;
	}
	return r == -ENOTDIR ? -ENOENT : r;
}

static void
say_absent(const struct look *l, int r)
{
	const char *why = r == -ENOENT ? "it is not mounted" : strerror(-r);
	struct stat st;

	if (r == -ENOENT && stat(l->files->dir, &st) < 0)
		why = "";
	l->teller(l->owner,
		&(struct pvefeed_message){
			.kind = PVEFEED_ABSENT, .text = why, .len = strlen(why)});
}

static void
say(const struct look *l, struct told *t, enum pvefeed_kind kind, const char *text,
	size_t len)
{
	uint64_t hash = hash_fnv64(text, len);
	struct pvefeed_message m = {kind, t->subject, text, len};

	if (t->known && t->kind == kind && t->hash == hash)
		return;
	t->known = true;
	t->kind = kind;
	t->hash = hash;
	l->teller(l->owner, &m);
}

/* Returns false when the file system is gone. */
static bool
say_found(const struct look *l, struct told *t, int r, const char *why)
{
	if (r == 0)
		say(l, t, PVEFEED_TEXT, strbuf_text(&l->files->text),
			l->files->text.len);
	else if (r != -ENOENT)
		say(l, t, PVEFEED_UNREAD, why, strlen(why));
	else if (t->known && t->kind == PVEFEED_NONE)
		return true;
	else if (find_cluster(l->files) == 0)
		say(l, t, PVEFEED_NONE, "", 0);
	else
		return false; /* which is not to say that its files are */
	return true;
}

static bool
look_at_file(const struct look *l, struct told *t)
{
	struct pvefiles *f = l->files;
	char name[PVEFEED_NAME_MAX];
	auto_free char *path =
		xasprintf("%s/%s", f->dir, pvefeed_name(t->subject, name));
	const char *why = "";
	int r = read_file(f, path, VMCONF_BYTES_MAX, &why);

	return say_found(l, t, r, why);
}

/* ---- VMs ---- */

static int
read_conf(struct pvefiles *f, unsigned int vmid, const struct vmlist_place *at,
	const char **why)
{
	auto_free char *path =
		at == NULL ? xasprintf("%s/qemu-server/%u.conf", f->dir, vmid)
			   : xasprintf("%s/nodes/%s/qemu-server/%u.conf", f->dir,
				     at->node, vmid);

	return read_file(f, path, VMCONF_BYTES_MAX, why);
}

static bool
is_same_place(const struct vmlist_place *a, const struct vmlist_place *b)
{
	return a->version == b->version && strcmp(a->node, b->node) == 0;
}

/* Here, or on the node from which it is just coming. */
static bool
look_at_vm(const struct look *l, struct told *t)
{
	struct vmlist_place at = {.version = 0};
	int found = l->listed;
	const char *why = "";
	int r = -ENOENT;

	if (found == 0)
		found = vmlist_find(&l->list, t->subject, &at);
	if (!l->all && t->known && t->kind != PVEFEED_UNREAD && found == 0 &&
		t->placed && t->start == l->files->stamp.start &&
		is_same_place(&at, &t->place))
		return true;
	for (unsigned int i = 0; i < TRIES && r == -ENOENT; i++) {
		r = read_conf(l->files, t->subject, NULL, &why);
		if (r == -ENOENT && found == 0)
			r = read_conf(l->files, t->subject, &at, &why);
	}
	if (r == -ENOENT && found < 0 && found != -ENOENT) {
		why = ".vmlist does not tell where it is";
		r = found;
	}
	t->placed = found == 0;
	t->place = at;
	t->start = l->files->stamp.start;
	return say_found(l, t, r, why);
}

/* Returns whether configurations have to be looked at. */
static bool
read_stamp(struct pvefiles *f, bool all)
{
	auto_free char *path = xasprintf("%s/.version", f->dir);
	struct vmlist_stamp before = f->stamp;
	bool was_stamped = f->stamped && !f->pending && !all;
	const char *why;

	f->stamped =
		read_file(f, path, VERSION_BYTES_MAX, &why) == 0 &&
		vmlist_stamp_parse(strbuf_text(&f->text), f->text.len, &f->stamp) == 0;
	return !was_stamped || !f->stamped || before.start != f->stamp.start ||
	       before.count != f->stamp.count;
}

static void
read_list(struct look *l)
{
	struct pvefiles *f = l->files;
	auto_free char *path = xasprintf("%s/.vmlist", f->dir);
	const char *why;

	l->listed = read_file(f, path, VMLIST_BYTES_MAX, &why);
	if (l->listed == 0)
		l->listed = vmlist_parse(strbuf_text(&f->text), f->text.len, &l->list);
	/* without counters that can be compared nothing is the same */
	if (!f->stamped || l->listed < 0)
		l->all = true;
}

/* Returns false when the file system is gone. */
static bool
look_at_vms(struct look *l)
{
	struct pvefiles *f = l->files;
	const struct pvefeed_message busy = {.kind = PVEFEED_BUSY};
	bool there = true;

	if (!read_stamp(f, l->all))
		return true;
	read_list(l);
	f->pending = l->listed < 0;
	for (size_t i = 0; i < f->n_vms && there; i++) {
		there = look_at_vm(l, &f->vms[i]);
		l->teller(l->owner, &busy);
		if (f->vms[i].kind == PVEFEED_UNREAD)
			f->pending = true;
	}
	if (l->listed == 0)
		vmlist_fini(&l->list);
	strbuf_fini(&f->text); /* the list is large */
	return there;
}

void
pvefiles_look(struct pvefiles *f, bool all, pvefiles_teller *teller, void *owner)
{
	struct look l = {.files = f, .all = all, .teller = teller, .owner = owner};
	int r = find_cluster(f);
	bool there = r == 0;

	for (size_t i = 0; i < ARRAY_LEN(f->files) && there; i++)
		there = look_at_file(&l, &f->files[i]);
	if (there)
		there = look_at_vms(&l);
	if (there) {
		teller(owner, &(struct pvefeed_message){.kind = PVEFEED_DONE});
		return;
	}
	f->stamped = false;
	say_absent(&l, r < 0 ? r : -ENOENT);
}
