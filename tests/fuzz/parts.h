// SPDX-License-Identifier: MIT
/*
 * Related readers share a target: the first byte of the input chooses one, 'a' the
 * first, and the rest is what it reads.
 */
#ifndef QMPIN_FUZZ_PARTS_H
#define QMPIN_FUZZ_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/xalloc.h"

/* @bytes are @len of an allocation of their own, without a NUL behind them: one more
 * must not be read. */
typedef void parts_check(const char *bytes, size_t len);

static inline void
parts_run(parts_check *const *parts, size_t n, const uint8_t *data, size_t size)
{
	auto_free char *exact = NULL;

	if (size == 0)
		return;
	exact = xcalloc(size - 1, 1);
	if (size > 1)
		memcpy(exact, data + 1, size - 1);
	parts[(uint8_t)(data[0] - 'a') % n](exact, size - 1);
}

#endif
