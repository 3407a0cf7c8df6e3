// SPDX-License-Identifier: MIT
/* A sorted array. Invariant: n_awaited counts the files that are awaited. */
#include "config.h"

#include "daemon/pveknown.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "pve/subjects.h"

void
pveknown_init(struct pveknown *k)
{
	*k = (struct pveknown){.n_vms = 0};
	for (unsigned int i = 0; i < PVEFEED_FILES; i++)
		k->cluster[i].subject = i;
}

void
pveknown_fini(struct pveknown *k)
{
	free(k->vms);
	pveknown_init(k);
}

static size_t
position(const struct pveknown *k, unsigned int vmid)
{
	return subjects_position(k->vms, k->n_vms, sizeof(*k->vms), vmid);
}

struct pveknown_file *
pveknown_find(struct pveknown *k, unsigned int subject)
{
	size_t at = position(k, subject);

	if (subject < PVEFEED_FILES)
		return &k->cluster[subject];
	return at < k->n_vms && k->vms[at].subject == subject ? &k->vms[at] : NULL;
}

struct pveknown_file *
pveknown_add(struct pveknown *k, unsigned int vmid)
{
	size_t at = position(k, vmid);

	if (pveknown_find(k, vmid) != NULL)
		return NULL;
	k->vms = xgrow(k->vms, k->n_vms, &k->cap_vms, sizeof(*k->vms));
	memmove(k->vms + at + 1, k->vms + at, (k->n_vms - at) * sizeof(*k->vms));
	k->vms[at] = (struct pveknown_file){.subject = vmid};
	k->n_vms++;
	return &k->vms[at];
}

void
pveknown_remove(struct pveknown *k, struct pveknown_file *file)
{
	size_t at = (size_t)(file - k->vms);

	pveknown_stop_awaiting(k, file);
	k->n_vms--;
	memmove(file, file + 1, (k->n_vms - at) * sizeof(*file));
}

void
pveknown_await(struct pveknown *k, struct pveknown_file *file)
{
	if (!file->awaited)
		k->n_awaited++;
	file->awaited = true;
}

void
pveknown_stop_awaiting(struct pveknown *k, struct pveknown_file *file)
{
	if (file->awaited)
		k->n_awaited--;
	file->awaited = false;
}

void
pveknown_settle(struct pveknown *k, bool told)
{
	for (size_t i = 0; i < k->n_vms && k->n_awaited > 0; i++) {
		if (!told || k->vms[i].told)
			pveknown_stop_awaiting(k, &k->vms[i]);
	}
}

void
pveknown_forget_child(struct pveknown *k)
{
	for (size_t i = 0; i < k->n_vms; i++)
		k->vms[i].told = false;
}

bool
pveknown_take(
	struct pveknown *k, struct pveknown_file *file, const char *text, size_t len)
{
	struct pveknown_file before = *file;

	file->unread = false;
	file->what = text != NULL ? PVEKNOWN_TEXT : PVEKNOWN_NONE;
	file->hash = text != NULL ? hash_fnv64(text, len) : 0;
	pveknown_stop_awaiting(k, file);
	return file->what != before.what || file->hash != before.hash;
}
