// SPDX-License-Identifier: MIT
/*
 * The boot the host runs in: what was noted in another one names other processes.
 */
#ifndef QMPIN_ACT_BOOTID_H
#define QMPIN_ACT_BOOTID_H

#include "base/attr.h"

#define BOOTID_MAX 33u /* 32 hex digits and NUL */

/**
 * Read the id of this boot: 32 lower-case hex digits, without the dashes.
 *
 * From /proc/sys/kernel/random/boot_id or, where a service manager hides that
 * (ProcSubset=pid), from the environment variable QMPIN_BOOT_ID, which a unit sets to
 * %b.
 *
 * Returns 0 or -ENODATA (neither gives one); @out written only on success.
 */
MUST_CHECK int bootid_read(char out[BOOTID_MAX]);

/** 32 hex digits, any dashes left out. Pure. Returns 0 or -EINVAL. */
MUST_CHECK int bootid_parse(const char *text, char out[BOOTID_MAX]);

#endif
