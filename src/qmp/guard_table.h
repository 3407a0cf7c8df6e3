// SPDX-License-Identifier: MIT
/*
 * What a guard has copies of, and what it must do when. Pure: what is seen goes in with
 * the time, the next step comes out; qmp/guard_child.h takes it. Descriptors are
 * numbers here, owned by that shell.
 */
#ifndef QMPIN_QMP_GUARD_TABLE_H
#define QMPIN_QMP_GUARD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "qmp/guard.h"

#define GUARD_TABLE_NEVER UINT64_MAX

/* drain_ms is made of so many samples, so that a guard that was itself stopped does not
 * take that time for the daemon's. */
#define GUARD_TABLE_SAMPLES 10u
/* wait_ms is made of so many looks at the queue, and at least half of them are needed:
 * where clients are being served, one look finds it empty. */
#define GUARD_TABLE_LOOKS 8u

struct guard_session;

/* All there is for one key. */
struct guard_vm {
	uint64_t key;
	int listener; /* -1: not watched */
	int pidfd;
	bool armed;	     /* the listener is watched; cleared by the table only */
	uint64_t waiting_us; /* since when a client may have waited; NEVER: none */
	uint64_t came_us;    /* when the last one came */
	uint64_t looked_us;  /* when one was last seen to wait */
	unsigned int looks;  /* that found one waiting, since waiting_us */
	unsigned int looks_at_last; /* the same since came_us */
	struct guard_session *last; /* the newest one */
};

/* Where a session is, as far as anybody asked. */
enum guard_place {
	GUARD_SOMEWHERE,
	GUARD_QUEUED,	/* connected, and not accepted by QEMU yet */
	GUARD_ACCEPTED, /* for good */
};

struct guard_session {
	struct guard_vm *vm;
	struct guard_session *before; /* older, of the same VM */
	int fd;
	struct guard_terms terms;
	uint64_t held_us;
	uint64_t lease_us; /* ends then */
	enum guard_place place;
	uint64_t sample_us; /* the next sample; NEVER: nothing is known to be pending */
	unsigned int pending_bytes;
	unsigned int stuck; /* samples in a row at which nothing had been read */
};

/* Zero-initialise. Members are the module's own. */
struct guard_table {
	struct guard_vm **vms; /* by key */
	size_t n_vms;
	size_t cap;
	size_t n_sessions;
};

enum guard_step {
	GUARD_SLEEP,  /* until until_us */
	GUARD_LOOK,   /* guard_table_served() or _waits_on() */
	GUARD_PROVE,  /* a client has waited too long: end it, or _served() */
	GUARD_SAMPLE, /* guard_table_sample() with what is pending */
	GUARD_END,    /* shut it down: guard_table_left(), or _not_ended() */
};

struct guard_todo {
	enum guard_step step;
	struct guard_session *session; /* NULL with SLEEP */
	uint64_t until_us;
};

/** The VM of @key, or NULL. */
struct guard_vm *guard_table_find(const struct guard_table *t, uint64_t key);

/** The VM of @key, watched through @listener and @pidfd from now on. */
struct guard_vm *guard_table_watch(
	struct guard_table *t, uint64_t key, int listener, int pidfd);

/** No longer watched. Frees the VM when it has no session. */
void guard_table_unwatch(struct guard_table *t, struct guard_vm *vm);

struct guard_session *guard_table_hold(struct guard_table *t, uint64_t key, int fd,
	const struct guard_terms *terms, uint64_t now_us);

/** Returns the last session of @key, with its terms replaced; NULL: there is none. */
struct guard_session *guard_table_renew(struct guard_table *t, uint64_t key,
	const struct guard_terms *terms, uint64_t now_us);

/** The session has ended or is forgotten: frees it, and the VM when nothing is left. */
void guard_table_left(struct guard_table *t, struct guard_session *s);

/** It could not be ended: once more in a moment. */
void guard_table_not_ended(struct guard_session *s, uint64_t now_us);

/** A session may be in the way of those who wait: the listener is to be watched for
 * clients that come, one event for each, and armed to be set. */
bool guard_table_wants_waiter(const struct guard_vm *vm);

/** A client has come, or was found waiting when watching began. */
void guard_table_waits(struct guard_vm *vm, uint64_t now_us);

/** Looked: a client waits, be it another. */
void guard_table_waits_on(struct guard_vm *vm, uint64_t now_us);

/** No client waits any more. */
void guard_table_served(struct guard_vm *vm);

/** Whether QEMU has accepted the session is to be asked, while somebody waits. */
bool guard_table_wants_place(const struct guard_session *s);

/** It has not: the session is in nobody's way, it is one of those who wait. */
void guard_table_queued(struct guard_session *s);

/** It has. If it was seen in the queue, others wait for it from now on. */
void guard_table_accepted(struct guard_session *s, uint64_t now_us);

/** The session is to be watched for bytes that come. */
bool guard_table_wants_bytes(const struct guard_session *s);

/** Bytes have come, and @bytes are pending. */
void guard_table_came(struct guard_session *s, unsigned int bytes, uint64_t now_us);

/** So much is pending now. */
void guard_table_sample(struct guard_session *s, unsigned int bytes, uint64_t now_us);

/** What to do now. To be asked again after each step that was taken. */
struct guard_todo guard_table_next(const struct guard_table *t, uint64_t now_us);

void guard_table_fini(struct guard_table *t);

#endif
