// SPDX-License-Identifier: MIT
/*
 * One client of the mux: its input up to the next command that QEMU must answer, and
 * what it is to be told. One command at a time is taken from it, as QEMU does; the
 * others wait in its socket. Pure: descriptors are numbers here, others close them.
 */
#ifndef QMPIN_QMP_CALLER_H
#define QMPIN_QMP_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "qmp/frame.h"
#include "qmp/request.h"

/* With more than this to be taken, nothing new is begun for a client. The replies that
 * tools ask for all the time are below 30 KiB, the largest (the schema) is 207 KB. */
#define CALLER_OUT_MAX (256u << 10)
/* With more than this a client is dropped: it does not read its events. An event has
 * some 200 bytes. A client of our own may sleep for longer. */
#define CALLER_UNREAD_MAX (512u << 10)
#define CALLER_OWN_UNREAD_MAX (4u << 20)
/* A reply is shown only when it is known to be the right one, if it is not longer. */
#define CALLER_HELD_MAX (32u << 10)
/* Descriptors of one message; QEMU takes as many and uses the first. */
#define CALLER_FDS_MAX 16u
/* A descriptor may come a moment after the command that needs it. */
#define CALLER_FD_WAIT_US 50000u
/* What a client is told last must be taken in this time. */
#define CALLER_SILENCED_US 1000000u
/* No deadline. */
#define CALLER_NEVER UINT64_MAX

/* Descriptors that nobody wants any more. */
struct caller_discards {
	int *fds;
	size_t n;
	size_t cap;
};

/* Members may be read from outside; out is appended to and dropped from there. */
struct caller {
	void *owner;
	bool own;	 /* a client of our own */
	bool negotiated; /* events are for it */
	bool eof;	 /* it says nothing more */
	bool silenced;	 /* it is only told what is in out, then dropped for why */
	bool waiting;	 /* request is a command whose turn has not come */
	bool needs_fd;	 /* the request does */
	bool asking;	 /* a command of its own is under way: until that is answered it
			  * is told nothing else, save events before the reply */
	bool dropped;	 /* for why */
	int drop_err;
	struct err why;
	struct request request;
	struct strbuf in;  /* behind the request */
	struct strbuf out; /* the last held bytes are not to be shown yet */
	size_t held;
	int fds[CALLER_FDS_MAX]; /* of the last message that had some */
	size_t n_fds;
	uint64_t deadline_us; /* of what it awaits: an fd, or its last words taken */
};

void caller_discard(struct caller_discards *d, int fd);

void caller_init(struct caller *c, bool own, void *owner);
void caller_fini(struct caller *c, struct caller_discards *d);

/** Bytes of the client, and the descriptors that came with them. */
void caller_feed(struct caller *c, struct frame_span bytes, const int *fds,
	size_t n_fds, struct caller_discards *d);

/** When caller_advance() is due, input or not. */
uint64_t caller_deadline_us(const struct caller *c);

/** Go on with what was fed: answer what needs no QEMU, up to a command that does. */
void caller_advance(struct caller *c, uint64_t now_us);

/** It has a command that may be sent now. */
bool caller_is_ready(const struct caller *c);

/** Its command lacks its descriptor. */
bool caller_awaits_fd(const struct caller *c);

/** More of its input can be taken. */
bool caller_wants_input(const struct caller *c);

/** It has said its last, and has been told all there is. */
bool caller_is_done(const struct caller *c);

/** Give away its command: append it with @id to @out, and its own id to @own_id. The
 * descriptor for it, or -1. */
int caller_take(struct caller *c, const char *id, struct strbuf *out,
	struct strbuf *own_id, struct caller_discards *d);

/** An event, if it is for it. */
void caller_tell_event(struct caller *c, struct frame_span event);

/** Part of its reply was appended to out, which had @before bytes. */
void caller_hold(struct caller *c, size_t before);
/** What is held is for it, though more of it is to come. */
void caller_release(struct caller *c);
/** What is held is not for it. */
void caller_forget_held(struct caller *c);
/** Its reply is whole. */
void caller_answered(struct caller *c);

/** To be dropped; the first reason counts. */
void caller_drop(struct caller *c, int err, const char *why);

#endif
