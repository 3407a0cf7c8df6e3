// SPDX-License-Identifier: MIT
/* The VMs of ListVMs as a sorted JSON array. Pure. */
#ifndef QMPIN_CLI_VMS_H
#define QMPIN_CLI_VMS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"

/** Order of two ids: numbers by value before names by their bytes. <0, 0, >0. */
int vms_compare_ids(const char *a, const char *b);

/**
 * @list  an array of VMs; what is not an object is left out
 *
 * Returns a new array, sorted by id.
 */
MUST_CHECK json_t *vms_sorted(const json_t *list);

/** Replies of ListVMs, for session_call: add their VMs to the array @list. */
bool vms_on_reply(void *list, const json_t *reply);

#endif
