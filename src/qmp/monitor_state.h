// SPDX-License-Identifier: MIT
/*
 * The inside of a monitor, for its own sources only: monitor.c (owners, phases,
 * attempts), monitor_visit.c (the session on the VM's socket), monitor_line.c (the
 * private one).
 */
#ifndef QMPIN_QMP_MONITOR_STATE_H
#define QMPIN_QMP_MONITOR_STATE_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "qmp/door.h"
#include "qmp/link.h"
#include "qmp/monitor.h"
#include "qmp/private.h"
#include "qmp/proxy.h"

/* How far the private monitor of the present process is. */
enum monitor_line {
	LINE_UNTRIED,
	LINE_EXPECTED,	 /* QEMU has it and will dial in */
	LINE_UP,	 /* it has, the session is begun */
	LINE_FAILED,	 /* see no_private; tried again later */
	LINE_IMPOSSIBLE, /* see no_private */
};

struct monitor {
	struct event_base *base;
	struct monitor_handlers handlers;
	void *owner;
	char *path;
	struct monitor_commons *commons;
	struct link_options link_options;
	unsigned int first_delay_ms;
	unsigned int backoff_min_ms;
	unsigned int backoff_max_ms;
	uint64_t key; /* of the shared session at the guard; the next one is the line's
		       */

	enum monitor_phase phase;
	struct err why;
	struct event attempt;  /* timer of the next connection */
	unsigned int failures; /* since the last facts */
	bool started;
	bool finishing;	   /* nothing new is begun */
	unsigned int busy; /* callbacks we are inside of */
	bool doomed;	   /* freed by the owner meanwhile */

	enum share wish;
	enum share share;     /* as told */
	struct err share_why; /* as told */

	pid_t pid; /* of the proven process, 0: none */
	struct door *door;
	struct err no_hold; /* why its queue cannot be watched */

	/* The session on the VM's socket, or the one through our own proxy. */
	struct link *link;
	struct proxy *proxy;
	bool up;      /* the session on link is */
	bool leaving; /* somebody waits: go as soon as all that was asked is answered */
	bool away;    /* left because somebody waited; facts may be out of date */
	bool disturbed;	    /* somebody came while we waited to come back */
	bool wanted;	    /* facts are, as soon as may be */
	uint64_t waiter_us; /* with leaving: since when */
	uint64_t left_us;
	uint64_t served; /* whom QEMU served when we last looked */

	/* The private session. */
	enum monitor_line line_state;
	struct link *line;
	bool line_up;	/* QEMU has greeted there */
	bool line_made; /* or all steps were gone through: nothing is left to do */
	struct event patience; /* for QEMU to dial in; or until it is tried again */
	unsigned int line_failures; /* since QEMU greeted there */
	struct err no_private;
	bool prepared;	 /* QEMU has a private monitor, which stays until it is released
			  */
	bool setting_up; /* steps are under way on link */
	struct private setup;
	bool releasing;		    /* monitor_release() is to be answered */
	unsigned int release_tries; /* that have failed */
	bool released;
};

/* monitor.c: for the others. */
void monitor_enter(struct monitor *m);
void monitor_leave(struct monitor *m);
void monitor_set_phase(
	struct monitor *m, enum monitor_phase phase, const struct err *why);
void monitor_schedule(struct monitor *m, uint64_t delay_ms);
/* Drop the shared session, try again with back-off. */
void monitor_fail(struct monitor *m, enum monitor_phase phase, const struct err *why);
/* It has ended: drop all that is held of it. */
void monitor_forget_process(struct monitor *m);
/* QEMU answers, late perhaps: what is told from here on ends a stall. */
void monitor_end_stall(struct monitor *m);
/* What the owner is told, if it listens and has not freed the monitor meanwhile; a
 * release only while it waits for the end of one. */
void monitor_tell_facts(struct monitor *m, const struct qmp_facts *facts);
void monitor_tell_no_facts(struct monitor *m, const struct err *why);
void monitor_tell_event(struct monitor *m, const struct qmp_event *event);
void monitor_tell_used(struct monitor *m);
void monitor_tell_client_dropped(struct monitor *m, const struct err *why);
void monitor_tell_released(struct monitor *m, int err, const struct err *why);
/* What is possible and wished for now. @why as share_choose(); may be NULL. */
enum share monitor_choose(const struct monitor *m, struct err *why);
/* Tell the owner how it is shared, if that is another way than before. */
void monitor_announce(struct monitor *m);
/* For the next session: ids go on with the time, which no session had before. */
struct link_options monitor_link_options(const struct monitor *m);
uint32_t monitor_roll_dice(void);

/* monitor_visit.c */
void monitor_visit_begin(struct monitor *m);
/* Drop the shared session without a word. */
void monitor_visit_end(struct monitor *m);
/* Look again at what the session is there for; what is under way is finished first. */
void monitor_visit_review(struct monitor *m);
/* Tell the guard of the session there is. */
void monitor_visit_introduce(struct monitor *m);
/* Questions follow: the guard lets the answers come. */
void monitor_visit_asks(const struct monitor *m);
void monitor_visit_on_waiter(void *owner);
void monitor_visit_on_gone(void *owner);

/* monitor_line.c */
/* A private monitor is wished for and may be had. */
bool monitor_line_wanted(const struct monitor *m);
/* It is there and in use: of the shared one nothing is needed. */
bool monitor_line_serves(const struct monitor *m);
/* Something is to be set up or taken down in QEMU: begin it on the session there is. */
bool monitor_line_begin_setup(struct monitor *m);
/* An answer for the steps. True: they are done. */
bool monitor_line_on_answer(struct monitor *m, const struct session_told *told);
void monitor_line_on_patience(evutil_socket_t fd, short what, void *owner);
/* See monitor_dial_in(). */
bool monitor_line_dial_in(struct monitor *m, int fd);
/* See whether the process has dialled in already. */
void monitor_line_claim(struct monitor *m);
/* Tell the guard of the session there is. */
void monitor_line_introduce(struct monitor *m);
void monitor_line_drop(struct monitor *m);

#endif
