// SPDX-License-Identifier: MIT
/*
 * The file of conf.d that qmpin itself writes: modes of single VMs, made permanent.
 * Whoever has it open is alone with it (flock of a hidden file that is there
 * meanwhile); readers of the configuration see the old text or the new one.
 *
 * Format: comments, then for each VM, ascending id, the section [vm ID] with one line
 * "mode = WORD". A file with anything else in it was not written by us, and is refused
 * with its line: what is not understood would be lost.
 */
#ifndef QMPIN_CONF_MODEFILE_H
#define QMPIN_CONF_MODEFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "conf/settings.h"
#include "place/mode.h"

/* Late among conf.d: what is set here shall count. */
#define MODEFILE_NAME "90-qmpin-mode.conf"

struct modefile {
	int dirfd; /* conf.d */
	int lock;
	bool locked;
	bool made_tree; /* taken away again if nothing was put there */
	bool made_dir;
	char *path;
	bool existed;
	char *before; /* its text, as it was found */
	size_t before_len;
	struct settings modes; /* nothing but vms counts */
};

/**
 * Open the file in @tree/conf.d, which is made where it is missing; so is @tree. What
 * was made and is empty in the end is taken away by modefile_close.
 *
 * Returns 0, -EINVAL (not a file of ours, @e has its line), -EBUSY (another qmpin has
 * it) or another errno with @e; modefile_close it after 0.
 */
MUST_CHECK int modefile_open(struct modefile *f, const char *tree, struct err *e);
void modefile_close(struct modefile *f);

/** Note a VM's mode, or (unset) that there is none; @id is a valid one. */
MUST_CHECK int modefile_set(
	struct modefile *f, const char *id, enum place_mode mode, struct err *e);
void modefile_unset(struct modefile *f, const char *id);

/** Write it, on disk when this returns; without VMs there is no file. Returns 0, or a
 * negative errno with @e: then it is as before. */
MUST_CHECK int modefile_save(struct modefile *f, struct err *e);

/** As it was when it was opened. Errors as modefile_save. */
MUST_CHECK int modefile_undo(struct modefile *f, struct err *e);

/** What there is as text of a file; new string. Pure. */
char *modefile_format(const struct modefile *f);

#endif
