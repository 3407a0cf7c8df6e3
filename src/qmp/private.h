// SPDX-License-Identifier: MIT
/*
 * The steps that give a QEMU a monitor of our own, or take it away again, as a state
 * machine over the answers to commands. Pure. Each goal looks first (what is there is
 * told by lists, not by how a refusal is worded), and ends after at most
 * PRIVATE_ANSWERS_MAX answers, whatever they are. Only PRIVATE_REMOVE takes a monitor
 * away: QEMU 11.1.3 was seen to crash when that is done again and again.
 *
 * Source: QEMU's qapi/qom.json and qapi/char.json, 11.1 (monitor-qmp objects).
 */
#ifndef QMPIN_QMP_PRIVATE_H
#define QMPIN_QMP_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "qmp/message.h"

enum private_goal {
	PRIVATE_ADD,	/* make it, or see that it is there; what was there stays */
	PRIVATE_REMOVE, /* object and chardev go, whichever path it dials */
};

enum private_outcome {
	PRIVATE_BUSY,	     /* ask private_next() */
	PRIVATE_ADDED,	     /* made just now */
	PRIVATE_THERE,	     /* was there already, and dials @path: expect it */
	PRIVATE_REMOVED,     /* nothing of ours is left (or was there) */
	PRIVATE_UNSUPPORTED, /* this QEMU knows no monitor-qmp */
	PRIVATE_TAKEN,	     /* "qmpin" is not ours, or dials elsewhere: untouched */
	PRIVATE_FAILED,	     /* a step was refused; ADD undoes what it did if it can */
};

/* In this order, some of them left out; none comes twice. */
enum private_step {
	PRIVATE_STEP_CHARDEVS,
	PRIVATE_STEP_OBJECTS,
	/* to add */
	PRIVATE_STEP_CHARDEV_ADD,
	PRIVATE_STEP_CONNECTED, /* again and again: see private.c */
	PRIVATE_STEP_OBJECT_ADD,
	PRIVATE_STEP_UNDO, /* chardev-remove: added just now, but the object refused */
	/* to remove */
	PRIVATE_STEP_OBJECT_DEL,
	PRIVATE_STEP_CHARDEV_REMOVE,
	PRIVATE_STEPS, /* how many */
};

/* QEMU dials in within a millisecond or so, which is one to three answers; on a host
 * that has no time for it this is a fraction of a second. */
#define PRIVATE_LOOKS_MAX 1000
/* Both looks first, and all that it takes to add. */
#define PRIVATE_ANSWERS_MAX (5 + PRIVATE_LOOKS_MAX)

/* What bears the name "qmpin". */
enum private_sight {
	PRIVATE_NOTHING,
	PRIVATE_HERE,	   /* a chardev that dials @path; an object monitor-qmp */
	PRIVATE_ELSEWHERE, /* a chardev of ours, of another run directory */
	PRIVATE_FOREIGN,   /* not ours */
};

/* Members are the module's own. */
struct private
{
	enum private_goal goal;
	const char *path;
	enum private_step step;
	enum private_outcome outcome;
	enum private_sight chardev;
	bool connected; /* the chardev is */
	unsigned int looks;
	struct err why;
};

/**
 * @path  that QEMU dials, exactly as it is bound there (see reception_path); borrowed.
 *        Only a chardev "qmpin" which is a socket that dials a path ending in
 *        "/monitor.sock" counts as ours.
 */
void private_init(struct private *p, enum private_goal goal, const char *path);

/** The command to send; valid while BUSY. */
enum message_command private_next(const struct private *p);

/**
 * The answer to private_next().
 *
 * @ret   of a return, NULL for an error
 * @desc  of an error, NULL for a return
 */
enum private_outcome private_answer(
	struct private *p, const json_t *ret, const char *desc);

/** Why it is UNSUPPORTED, TAKEN or FAILED; safe to print. Not set for the others. */
const struct err *private_why(const struct private *p);

#endif
