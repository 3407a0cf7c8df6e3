// SPDX-License-Identifier: MIT
/*
 * Mappings of a process that may be a guest's memory, from the text of /proc/PID/maps:
 * large, writable, anonymous or of files that exist in memory only. Pure.
 */
#ifndef QMPIN_ACT_RAMLIST_H
#define QMPIN_ACT_RAMLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

#define RAMLIST_MAX 65536u
/* Smaller ones are not worth a call. */
#define RAMLIST_BYTES_MIN (UINT64_C(1) << 20)

struct ram_range {
	uint64_t start;
	uint64_t end;
	bool shared; /* other processes may map it too (vhost-user, virtiofsd) */
};

/**
 * Read the text.
 *
 * @out  new array, free() it; written only on success
 *
 * Returns the number, -EINVAL or -E2BIG.
 */
MUST_CHECK ssize_t ramlist_parse(const char *text, struct ram_range **out);

#endif
