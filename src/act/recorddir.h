// SPDX-License-Identifier: MIT
/* The run directory: which VMs have a record in it. */
#ifndef QMPIN_ACT_RECORDDIR_H
#define QMPIN_ACT_RECORDDIR_H

#include "base/attr.h"

/** Called for each record's id; may remove that record. */
typedef void recorddir_handler(void *arg, const char *id);

/** Go through the records in an open directory, in no order. Returns 0 or a negative
 * errno. */
MUST_CHECK int recorddir_each(int dirfd, recorddir_handler *handle, void *arg);

#endif
