// SPDX-License-Identifier: MIT
/*
 * Calls about several VMs that are answered when each VM has had its part, or when
 * their time is over: {"DONE":[...],"failed":["103: why"]}. A call knows its VMs by id;
 * a client that hangs up meanwhile changes nothing.
 */
#ifndef QMPIN_DAEMON_PENDING_H
#define QMPIN_DAEMON_PENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct ctl_call;
struct engine;
struct pending;
struct vm;

/* All calls of one method that wait. */
struct pending_list {
	const char *done; /* name of the reply's first member */
	const char *late; /* why a part failed that had no end in time */
	struct pending *first;
};

/** The VM of a call's "id". NULL: the call was answered, there is none. */
struct vm *pending_vm(
	const struct engine *e, struct ctl_call *call, const json_t *params);

/**
 * Read "ids" of a call's parameters; answers the call where they cannot be.
 *
 * @vms  new array of @n VMs, each once; all VMs without "ids"; free() it
 *
 * Returns false when the call was answered: an id is unknown.
 */
MUST_CHECK bool pending_vms(struct engine *e, struct ctl_call *call,
	const json_t *params, struct vm ***vms, size_t *n);

/** The same for a method that changes something: a dry run answers it, too; who asks is
 * logged. @what is asked for, as in "apply". */
MUST_CHECK bool pending_changes(struct engine *e, struct ctl_call *call,
	const char *what, const json_t *params, struct vm ***vms, size_t *n);

/** A call waits for the ends of these VMs' parts, at most @ms. It is not answered
 * before pending_begin(). */
struct pending *pending_new(struct pending_list *list, struct engine *e,
	struct ctl_call *call, struct vm *const *vms, size_t n, unsigned int ms);

/** All is asked for: from now on it is answered when nothing is open; perhaps now. */
void pending_begin(struct pending *p);

/** Some call waits for this VM. */
bool pending_has(const struct pending_list *list, const char *id);

/** Put @item (stolen) into the answers of all calls that wait for this VM. */
void pending_add(struct pending_list *list, const char *id, json_t *item);

/** The end of a VM's part of all calls; @why: why it failed, NULL: it is done. */
void pending_close(struct pending_list *list, const char *id, const char *why);

/** Answer all calls now; what is open failed for this reason. */
void pending_stop(struct pending_list *list, const char *why);

#endif
