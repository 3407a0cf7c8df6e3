// SPDX-License-Identifier: MIT
/*
 * The steps that give a QEMU a monitor of our own, or take it away again, as a state
 * machine over the answers to commands. Pure.
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
	PRIVATE_ADD,	/* make it, or see that it is there */
	PRIVATE_RENEW,	/* it is there, but QEMU does not dial in: away and anew */
	PRIVATE_REMOVE, /* object and chardev go */
};

enum private_outcome {
	PRIVATE_BUSY,	     /* ask private_next() */
	PRIVATE_ADDED,	     /* made just now */
	PRIVATE_THERE,	     /* was there already, and dials @path: expect it */
	PRIVATE_REMOVED,     /* nothing of ours is left (or was there) */
	PRIVATE_UNSUPPORTED, /* this QEMU knows no monitor-qmp */
	PRIVATE_TAKEN,	     /* a chardev or object "qmpin" that is not ours */
	PRIVATE_FAILED, /* a step was refused; nothing half-made is left if possible */
};

/* Members are the module's own. */
struct private
{
	enum private_goal goal;
	const char *path;
	enum message_command next;
	enum private_outcome outcome;
	bool made_chardev;
	bool made_again; /* removed on the way: what follows is a making */
	struct err why;
};

/**
 * @path  that QEMU dials; borrowed. Only a chardev "qmpin" which is a socket that dials
 *        a path ending in "/monitor.sock" counts as ours.
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

/** Why it is UNSUPPORTED, TAKEN or FAILED. */
const struct err *private_why(const struct private *p);

#endif
