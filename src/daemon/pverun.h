// SPDX-License-Identifier: MIT
/*
 * A running qmpin-pve in the event loop: what it says becomes calls, what it is told
 * waits until it reads. Nothing blocks, not even its end: a process that hangs in a
 * file system cannot be killed before that answers.
 */
#ifndef QMPIN_DAEMON_PVERUN_H
#define QMPIN_DAEMON_PVERUN_H

#include "base/attr.h"
#include "base/err.h"
#include "pve/pvefeed.h"

struct event_base;
struct pverun;

/* Any of them may free the run. */
struct pverun_handlers {
	void (*on_message)(void *owner, const struct pvefeed_message *m);
	/* It is of no more use, and has been killed: @why is safe to print, NULL: it
	 * did not answer in time. No message comes any more. */
	void (*on_end)(void *owner, const char *why);
	/* The process is gone: free the run. The last call, perhaps never. */
	void (*on_gone)(void *owner);
};

struct pverun_options {
	struct event_base *base;
	const char *program;
	const char *dir; /* /etc/pve */
};

/** Start one. @handlers is borrowed while it lives. Returns 0 or a negative errno with
 * @e; @out is written only on success. */
MUST_CHECK int pverun_new(const struct pverun_options *o,
	const struct pverun_handlers *handlers, void *owner, struct pverun **out,
	struct err *e);

/** Say something to it. */
void pverun_tell(struct pverun *r, enum pvefeed_kind kind, unsigned int subject);

/** From now on it has to say something every @deadline_ms. 0: it need not. */
void pverun_expect(struct pverun *r, unsigned int deadline_ms);

/** Kill it; of the handlers only on_gone is called. Again: nothing happens. */
void pverun_end(struct pverun *r);

/** Leave it, without waiting where it may hang. NULL is allowed. */
void pverun_free(struct pverun *r);

#endif
