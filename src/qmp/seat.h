// SPDX-License-Identifier: MIT
/* The socket of one client of a proxy: reads for the mux, sends for the mux, and sees
 * when the client has left. Never blocks. */
#ifndef QMPIN_QMP_SEAT_H
#define QMPIN_QMP_SEAT_H

#include <stdbool.h>
#include <sys/types.h>

#include <event2/event_struct.h>

struct caller;
struct event_base;
struct mux;
struct seat;

/* Something is to be done: seat_read() if @readable; then, if the seat is left, it is
 * to be freed. */
typedef void seat_handler(void *owner, struct seat *s, bool readable);

struct seat {
	struct seat *next; /* the owner's */
	struct mux *mux;
	struct caller *caller;
	int fd;
	pid_t pid; /* 0: a client of our own */
	seat_handler *on_ready;
	void *owner;
	struct event readable;
	struct event writable;
	struct event hangup;
	bool silent; /* it says nothing more; all of it has been read */
	bool deaf;   /* the same, but some of it is still to be read */
	bool left;   /* nobody is at the other end */
};

/** A new client of @mux on @fd, which is owned from now on. */
struct seat *seat_new(struct event_base *base, struct mux *mux, int fd, pid_t pid);

/** Read once, if the mux wants it. */
void seat_read(struct seat *s);

/** Send what can be sent. Returns whether some bytes went. */
bool seat_flush(struct seat *s);

/** Ask the kernel whether anybody is there. */
bool seat_is_left(struct seat *s);

/** Wait for what matters now. */
void seat_arm(struct seat *s);

/** The client leaves the mux too; its descriptors are among the mux's discards. */
void seat_free(struct seat *s);

#endif
