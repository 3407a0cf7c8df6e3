// SPDX-License-Identifier: MIT
/*
 * One QMP session as a state machine: greeting, capabilities, then observations (the
 * queries pipelined, their replies joined to facts) and single commands, with events in
 * between. Pure: bytes and the time go in, bytes and what is to be told come out; who
 * carries them, and over what, is somebody else's matter.
 *
 * Nothing is said before the greeting, since a client that left before it was served
 * must leave nothing behind: QEMU would execute what it said, and give the answers to
 * the next client. Capabilities and the first queries then go out together.
 */
#ifndef QMPIN_QMP_SESSION_H
#define QMPIN_QMP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "qmp/event.h"
#include "qmp/facts.h"
#include "qmp/frame.h"
#include "qmp/message.h"

#define SESSION_NEVER UINT64_MAX

enum session_state {
	SESSION_GREETING,     /* the greeting is awaited */
	SESSION_CAPABILITIES, /* the reply to qmp_capabilities is awaited */
	SESSION_READY,
	SESSION_ENDED, /* nothing more is read, sent or told */
};

enum session_tell {
	SESSION_NOTHING,
	SESSION_GREETED, /* what is sent from now on has to be answered */
	SESSION_ASKED,	 /* something was sent; told by the one who sends */
	SESSION_UP,	 /* capabilities agreed */
	SESSION_EVENT,
	SESSION_FACTS,	  /* the answer to session_observe() */
	SESSION_NO_FACTS, /* a query was refused, or its answer makes no sense */
	SESSION_ANSWER,	  /* to session_command() */
	SESSION_STALLED,  /* a deadline passed; what is awaited may still come */
	SESSION_BROKEN,	  /* ended: this is not QMP, or over the caps */
	SESSION_CLOSED,	  /* ended: the peer hung up */
};

struct session_told {
	const struct qmp_facts *facts; /* FACTS; valid until the next call */
	struct qmp_event event;	       /* EVENT */
	struct err why;		       /* NO_FACTS, STALLED and the two ends */
	/* ANSWER: one of the two; desc is QEMU's, not escaped. Valid as facts. */
	const json_t *ret;
	const char *desc;
};

/* Members are the module's own. */
struct session {
	enum session_state state;
	struct frame frame;
	struct strbuf out;
	uint64_t deadline_us;
	uint64_t query_us;     /* one observation may take this long */
	uint64_t last_id;      /* of the last command made */
	uint64_t caps_id;      /* of qmp_capabilities */
	uint64_t command_id;   /* of session_command()'s; 0: none is under way */
	uint64_t first_id;     /* of the observation's first query */
	unsigned int answered; /* bit per query of the observation */
	bool observing;
	bool wanted; /* an observation after this one */
	struct qmp_version version;
	struct qmp_facts facts; /* as far as they have come */
	struct err why;		/* what already failed in this observation */
	struct message answer;	/* as told */
};

/* How long is waited, and how commands are told apart. */
struct session_terms {
	uint64_t session_us; /* to capabilities, and the first observation with them */
	uint64_t query_us;   /* one observation or command, from its first byte sent */
	uint64_t last_id;    /* ids begin above this one. QEMU may give us what we asked
			      * in an earlier session: never the same twice */
};

/** A session on a fresh connection. */
void session_init(
	struct session *s, uint64_t now_us, const struct session_terms *terms);
void session_fini(struct session *s);

/** Ask for fresh facts. The queries are made when session_output() is next called and
 * none are under way; until then requests are one request. */
void session_observe(struct session *s);

/** Send one command (see message_command_format() for @path), once the session is up
 * and only when none is under way. */
void session_command(struct session *s, enum message_command command, const char *path,
	uint64_t now_us);

/**
 * Take bytes until there is something to tell.
 *
 * @in    shrinks by what was taken
 * @told  written for what is returned
 *
 * Returns SESSION_NOTHING when all of @in is taken; call again otherwise.
 */
MUST_CHECK enum session_tell session_feed(
	struct session *s, struct frame_span *in, struct session_told *told);

/** Something that was sent is not answered yet. Leaving now would give the answer to
 * the next client of QEMU, for whom it can be fatal. */
bool session_is_busy(const struct session *s);

/** An observation was asked for and is still to be made. */
bool session_is_wanted(const struct session *s);

/** SESSION_STALLED when the deadline has passed, which is told once; else
 * SESSION_NOTHING. */
MUST_CHECK enum session_tell session_check(
	struct session *s, uint64_t now_us, struct session_told *told);

/** The connection has ended (@err: 0 or a negative errno): SESSION_CLOSED, or NOTHING
 * when the session had ended before. */
MUST_CHECK enum session_tell session_close(
	struct session *s, int err, struct session_told *told);

/** Absolute; SESSION_NEVER when nothing is awaited. Bytes that arrive do not move it.
 */
uint64_t session_deadline_us(const struct session *s);

/** Bytes to be sent now; valid until the next call. Tell with session_sent() how many
 * were. */
struct frame_span session_output(struct session *s, uint64_t now_us);
void session_sent(struct session *s, size_t n);

#endif
