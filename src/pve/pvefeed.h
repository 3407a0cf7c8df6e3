// SPDX-License-Identifier: MIT
/*
 * What qmpind and qmpin-pve say to each other on two pipes: lines, and texts behind
 * them. Pure.
 *
 *     add VMID | remove VMID | look | read             to qmpin-pve
 *     text NAME BYTES | none NAME | unread NAME WHY | absent WHY | busy | done
 *
 * NAME is a VMID, qmpin.conf or datacenter.cfg. Each look or read is answered by any
 * number of the others and one of absent (nothing was looked at) and done.
 */
#ifndef QMPIN_PVE_PVEFEED_H
#define QMPIN_PVE_PVEFEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/lineframe.h"
#include "base/str.h"

/* A line with its newline; a longer one is no message. */
#define PVEFEED_LINE_MAX 512u

#define PVEFEED_NAME_MAX 16u
#define PVEFEED_VMID_MIN 100u
#define PVEFEED_VMID_MAX 999999999u

enum pvefeed_kind {
	PVEFEED_ADD,
	PVEFEED_REMOVE,
	PVEFEED_LOOK, /* tell what has changed */
	PVEFEED_READ, /* the same, and trust no counter */
	PVEFEED_TEXT,
	PVEFEED_NONE,	/* there is no such file */
	PVEFEED_UNREAD, /* there is one, and text says why it is not read */
	PVEFEED_ABSENT, /* there is no such file system, and text says why, or "" */
	PVEFEED_BUSY,	/* a look takes its time */
	PVEFEED_DONE,
};

/* What a message is about: 0 to PVEFEED_FILES - 1 is a file of the cluster, from
 * PVEFEED_VMID_MIN on a VMID. */
enum pvefeed_file { PVEFEED_QMPIN_CONF, PVEFEED_DATACENTER_CFG, PVEFEED_FILES };

struct pvefeed_message {
	enum pvefeed_kind kind;
	unsigned int subject; /* 0 where the kind has none */
	const char *text;     /* with a NUL behind lines, none behind texts */
	size_t len;
};

/** The name of a subject, as in messages. Returns @out. */
char *pvefeed_name(unsigned int subject, char out[PVEFEED_NAME_MAX]);

/** A VMID as Proxmox writes it. Returns 0 or -EINVAL; @out is written only on success.
 */
MUST_CHECK int pvefeed_vmid_parse(const char *text, unsigned int *out);

/* What came through a pipe. Zero-initialise; pvefeed_fini it. */
struct pvefeed {
	struct lineframe frame;
};

void pvefeed_fini(struct pvefeed *f);

/** Take in bytes. Messages that were handed out are no longer valid. Memory grows with
 * what comes, never with a length that was announced, and has an end: returns 0 or
 * -EPROTO when it is reached, which is so only without pvefeed_next. */
MUST_CHECK int pvefeed_take(struct pvefeed *f, const char *bytes, size_t len);

/**
 * The next whole message, in place: valid until pvefeed_take.
 *
 * Returns 1, 0 (more has to come) or -EPROTO (no message, and nothing after it is) with
 * @e.
 */
MUST_CHECK int pvefeed_next(
	struct pvefeed *f, struct pvefeed_message *out, struct err *e);

/** Append @m. A text of a line is cut to its length, line ends become blanks. */
void pvefeed_put(struct strbuf *out, const struct pvefeed_message *m);

#endif
