// SPDX-License-Identifier: MIT
/*
 * A child reads, this process waits for it, but not for ever. What comes through the
 * pipe are records of one size; the last one says how it ended.
 */
#include "config.h"

#include "cli/pvescan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"
#include "pve/pinners.h"
#include "pve/vmconf.h"

#define NAME "pinners"
#define CONFIGS "/etc/pve/qemu-server"
#define CONFIGS_MAX 10000u
#define STORAGE_BYTES_MAX (512u * 1024u)
#define SCRIPT_BYTES_MAX (256u * 1024u)

enum kind { HOOK, HOOK_UNREAD, PROPERTY, ARGS, UNREAD, END };

/* What was found with a VM. detail is safe to print. */
struct find {
	enum kind kind;
	int vmid; /* of END how many configurations were read, or a negative errno */
	char detail[160];
};

/* ---- the child ---- */

/* Small enough for the pipe to take it as a whole. */
static void
tell(int fd, enum kind kind, int vmid, const char *detail)
{
	struct find find = {.kind = kind, .vmid = vmid};

	str_copy(find.detail, sizeof(find.detail), detail);
	if (write(fd, &find, sizeof(find)) != (ssize_t)sizeof(find))
		_exit(1); /* nobody listens any more */
}

static void
look_at_script(
	const char *root, const char *storage, int vmid, const char *volume, int fd)
{
	char path[PINNERS_PATH_MAX];
	char safe[120];
	char detail[160];
	auto_free char *file = NULL;
	auto_free char *text = NULL;
	const char *word;

	str_escape(volume, strlen(volume), safe, sizeof(safe));
	if (!pinners_script_path(storage, volume, path)) {
		tell(fd, HOOK_UNREAD, vmid, safe);
		return;
	}
	file = xasprintf("%s%s", root, path);
	if (textfile_read(file, SCRIPT_BYTES_MAX, &text, NULL) < 0) {
		tell(fd, HOOK_UNREAD, vmid, safe);
		return;
	}
	word = pinners_in_script(text);
	if (word == NULL)
		return;
	(void)snprintf(detail, sizeof(detail), "%s has %s in it", safe, word);
	tell(fd, HOOK, vmid, detail);
}

static void
look_at_vm(const char *root, const char *storage, int vmid, const struct vmconf *conf,
	int fd)
{
	const char *in_args = conf->args != NULL ? pinners_in_args(conf->args) : NULL;

	if (conf->hookscript != NULL)
		look_at_script(root, storage, vmid, conf->hookscript, fd);
	if (conf->pinning)
		tell(fd, PROPERTY, vmid, "");
	if (in_args != NULL)
		tell(fd, ARGS, vmid, in_args);
}

/* Returns false when there is nothing to be read any more: it has just gone. */
static bool
look_at_config(
	const char *root, const char *storage, int dirfd, const char *name, int fd)
{
	int vmid = atoi(name);
	auto_free char *text = NULL;
	struct err why = ERR_NONE;
	struct vmconf conf;
	int r = textfile_read_at(dirfd, name, VMCONF_BYTES_MAX, &text, &why);

	if (r == -ENOENT)
		return false;
	if (r < 0) {
		tell(fd, UNREAD, vmid, why.text);
		return true;
	}
	if (vmconf_parse(text, strlen(text), &conf) == 0) {
		look_at_vm(root, storage, vmid, &conf, fd);
		vmconf_fini(&conf);
	}
	return true;
}

/* 100.conf to 999999999.conf. */
static bool
is_config(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits >= 3 && digits <= 9 && name[0] != '0' &&
	       strcmp(name + digits, ".conf") == 0;
}

void
pvescan_read(const char *root, int fd)
{
	auto_free char *path = xasprintf("%s" CONFIGS, root);
	auto_free char *storage_path = xasprintf("%s/etc/pve/storage.cfg", root);
	auto_free char *storage = NULL;
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int n = 0;

	if (dir == NULL) {
		tell(fd, END, -errno, "");
		return;
	}
	if (textfile_read(storage_path, STORAGE_BYTES_MAX, &storage, NULL) < 0)
		storage = xstrdup("");
	while ((entry = readdir(dir)) != NULL && n < (int)CONFIGS_MAX) {
		if (is_config(entry->d_name) &&
			look_at_config(root, storage, dirfd(dir), entry->d_name, fd))
			n++;
	}
	(void)closedir(dir);
	tell(fd, END, n, "");
}

/* ---- what waits for it ---- */

struct scan {
	struct find *list;
	size_t n;
	size_t cap;
	int end; /* of the END record, or why there was none */
};

static int
take_in(struct scan *s, struct apart *child)
{
	struct find find;
	size_t len = 0;

	for (;;) {
		ssize_t n = apart_read(child, (char *)&find + len, sizeof(find) - len);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO; /* without an END record */
		len += (size_t)n;
		if (len < sizeof(find))
			continue;
		len = 0;
		if (find.kind == END)
			return find.vmid;
		s->list = xgrow(s->list, s->n, &s->cap, sizeof(*s->list));
		s->list[s->n++] = find;
	}
}

static void
scan(const char *root, apart_reader *reader, int deadline_ms, struct scan *s)
{
	struct apart child;

	s->end = apart_start(&child, root, reader, deadline_ms);
	if (s->end < 0)
		return;
	s->end = take_in(s, &child);
	apart_end(&child);
}

/* ---- what it means ---- */

static bool
alike(const struct find *a, const struct find *b)
{
	return a->kind == b->kind && strcmp(a->detail, b->detail) == 0;
}

static void
tell_kind(const struct find *find, const char *who, struct checks *out)
{
	static const char mend[] = "let one of the two do it: take it out, or have "
				   "mode = off for the VM in qmpin.conf";

	switch (find->kind) {
	case HOOK:
		checks_add(out, NAME, CHECKS_WARNING, "%s: hookscript %s", who,
			find->detail);
		checks_advise(out, "%s", mend);
		return;
	case HOOK_UNREAD:
		checks_add(out, NAME, CHECKS_NOTE, "%s: hookscript %s cannot be read",
			who, find->detail);
		checks_advise(out, "see for yourself whether it pins threads");
		return;
	case PROPERTY:
		checks_add(out, NAME, CHECKS_WARNING,
			"%s: configured with 'pinning:' for another program", who);
		checks_advise(out, "%s", mend);
		return;
	case ARGS:
		checks_add(out, NAME, CHECKS_WARNING, "%s: 'args:' has %s in it", who,
			find->detail);
		checks_advise(out, "%s", mend);
		return;
	default:
		checks_add(out, NAME, CHECKS_NOTE, "%s: configuration is not read: %s",
			who, find->detail);
	}
}

static int
by_vmid(const void *a, const void *b)
{
	const struct find *x = a;
	const struct find *y = b;

	return (x->vmid > y->vmid) - (x->vmid < y->vmid);
}

/* VMs of which the same is to be said share a line. */
static void
tell_finds(struct scan *s, struct checks *out)
{
	char who[CHECKS_GROUP_TEXT_MAX];

	if (s->n > 0)
		qsort(s->list, s->n, sizeof(*s->list), by_vmid);
	for (size_t i = 0; i < s->n; i++) {
		struct checks_group group = {0};

		if (s->list[i].kind == END)
			continue; /* told already */
		for (size_t j = i; j < s->n; j++) {
			char id[16];

			if (!alike(&s->list[i], &s->list[j]))
				continue;
			(void)snprintf(id, sizeof(id), "%d", s->list[j].vmid);
			checks_group_add(&group, id);
			if (j > i)
				s->list[j].kind = END;
		}
		tell_kind(&s->list[i], checks_group_text(&group, who), out);
	}
}

void
pvescan_run(const char *root, apart_reader *reader, int deadline_ms, struct checks *out)
{
	struct scan s = {0};
	size_t n = out->n;

	scan(root, reader, deadline_ms, &s);
	tell_finds(&s, out);
	if (s.end == -ETIMEDOUT) {
		checks_add(out, NAME, CHECKS_WARNING,
			"VM configurations could not be read within %d s",
			(deadline_ms + 999) / 1000);
		checks_advise(out, "see whether /etc/pve hangs: systemctl status "
				   "pve-cluster");
	} else if (s.end == -EACCES || s.end == -EPERM) {
		checks_add(out, NAME, CHECKS_NOTE,
			"not looked for: only root may read VM configurations");
	} else if (s.end < 0 && s.end != -ENOENT) {
		checks_add(out, NAME, CHECKS_NOTE,
			"VM configurations cannot be read: %s", strerror(-s.end));
	} else if (s.end > 0 && out->n == n) {
		checks_add(out, NAME, CHECKS_OK, "none in %d VM configuration%s", s.end,
			s.end == 1 ? "" : "s");
	}
	free(s.list);
}
