// SPDX-License-Identifier: MIT
/*
 * Configurations of VMs as they come, change, go or cannot be read: what of them counts
 * goes into struct wishes, a change is told and looked into at once.
 */
#ifndef QMPIN_DAEMON_HEARING_H
#define QMPIN_DAEMON_HEARING_H

#include <stddef.h>

struct engine;
struct vm;

/** A VM's configuration, as pvewatch.h's on_vm. Nothing happens to one that is not
 * there; one that goes says what it said last. */
void hearing_take(struct engine *e, const char *id, const char *text, size_t len);

/** Why it is not read; NULL: it is again. */
void hearing_take_unread(struct engine *e, const char *id, const char *why);

/** Its configuration was read by an earlier daemon, and its record has what counted. */
void hearing_recall(const struct engine *e, struct vm *vm);

/** The cluster's datacenter.cfg; NULL: it has gone. */
void hearing_take_datacenter(struct engine *e, const char *text, size_t len);

/** What has not come by now is not waited for. */
void hearing_settle(struct engine *e);

/** The settings are others. Who kicks the VMs is the caller. */
void hearing_judge_all(struct engine *e);

#endif
