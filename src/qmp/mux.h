// SPDX-License-Identifier: MIT
/*
 * Many QMP clients on one session of QEMU: who may say what when, and who is told.
 * Pure: bytes, descriptors (as numbers) and the time go in and come out; who carries
 * them is somebody else's matter.
 *
 * One command is under way at a time (QEMU executes them one by one anyway), so a reply
 * belongs to it and descriptors cannot get mixed up. Replies are passed on while they
 * come; when the asker does not take them, QEMU is not read, but not for long.
 */
#ifndef QMPIN_QMP_MUX_H
#define QMPIN_QMP_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "qmp/frame.h"

#define MUX_NEVER UINT64_MAX
/* An event, or the greeting. The longest events carry some KB. */
#define MUX_SCRATCH_MAX (256u << 10)
/* What is under way when the end has come may take this long. */
#define MUX_LINGER_US 1000000u

struct mux;
struct caller;

struct mux_options {
	uint64_t session_us; /* from now to capabilities */
	uint64_t slow_us;    /* to take what is ready, while QEMU waits for it */
};

enum mux_tell {
	MUX_NOTHING,
	MUX_UP,	     /* clients may join from now on */
	MUX_TURN,    /* of a client: mux_dispatch(), or mux_leave() if it is gone */
	MUX_CHANGED, /* a command that may change threads or CPUs was answered */
	MUX_LEFT,    /* a client is done: mux_leave() */
	MUX_DROPPED, /* a client must go, see why: mux_leave() */
	MUX_ENDED,   /* nothing follows, see err and why */
};

struct mux_told {
	struct caller *client; /* TURN, LEFT, DROPPED */
	void *owner;	       /* of that client */
	int err;	       /* DROPPED, ENDED: negative; 0: mux_finish() */
	struct err why;
};

/** A fresh session: nothing has been read from it. Never NULL. */
struct mux *mux_new(const struct mux_options *options, uint64_t now_us);

/** All descriptors must have been discarded before: see mux_abandon(). */
void mux_free(struct mux *m);

/** Free all clients, and put all descriptors among the discards. */
void mux_abandon(struct mux *m);

/** A descriptor that is to be closed; -1: none. */
int mux_next_discard(struct mux *m);

/** What there is to tell or do, one thing a call; again until MUX_NOTHING. To be called
 * after all of the below. @told is written for what is returned. */
MUST_CHECK enum mux_tell mux_settle(
	struct mux *m, uint64_t now_us, struct mux_told *told);

/** When mux_settle() is to be called at the latest; MUX_NEVER. */
uint64_t mux_deadline_us(const struct mux *m);

/* QEMU's side. */
void mux_upstream_feed(struct mux *m, struct frame_span bytes);
/** Nothing follows: @err 0 (closed) or a negative errno. */
void mux_upstream_end(struct mux *m, int err);
/** It may be read; otherwise a client must take its reply first. */
bool mux_upstream_wants(const struct mux *m);
/** Bytes for QEMU, valid until the next call; @fd goes with the first of them (-1:
 * none). */
struct frame_span mux_upstream_output(const struct mux *m, int *fd);
void mux_upstream_sent(struct mux *m, size_t n);

/* Clients. @own: one of our own, with more patience for it. Only while mux_is_open().
 */
bool mux_is_open(const struct mux *m);
struct caller *mux_join(struct mux *m, bool own, void *owner);
void mux_leave(struct mux *m, struct caller *c);
void mux_client_feed(struct mux *m, struct caller *c, struct frame_span bytes,
	const int *fds, size_t n_fds);
/** It says nothing more, but still listens. */
void mux_client_eof(struct caller *c);
bool mux_client_wants(const struct mux *m, const struct caller *c);
struct frame_span mux_client_output(const struct caller *c);
void mux_client_sent(struct caller *c, size_t n);
/** It has broken a rule the mux cannot see. */
void mux_client_drop(struct caller *c, int err, const char *why);
/** Send its command. Only as the answer to MUX_TURN. */
void mux_dispatch(struct mux *m, struct caller *c);

/** A command is under way, or waits for its turn; when finishing, a client is there. */
bool mux_is_busy(const struct mux *m);

/** Take no new client; end when those that are there have left and what is under way is
 * answered. For clients a second is waited; for QEMU until it answers, since it would
 * give the answer to the next client. */
void mux_finish(struct mux *m, uint64_t now_us);

#endif
