// SPDX-License-Identifier: MIT
/*
 * Numbers in tables: read and written without the locale, and fast enough for a million
 * of them. Pure.
 */
#ifndef QMPIN_PROBE_NUMBER_H
#define QMPIN_PROBE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Latencies above a tenth of a millisecond are none: no two CPUs are that far apart. To
 * this bound a float holds hundredths. */
#define NUMBER_NS_MAX 100000.0f
/* Room for what number_write_ns writes: "100000.00". */
#define NUMBER_NS_TEXT_MAX 9u

/**
 * Read digits at *@p, before @end.
 *
 * @p    moved behind the number only on success, and @out written
 *
 * Returns 0, -EINVAL (no digit) or -ERANGE (above @max).
 */
MUST_CHECK int number_read_uint(
	const char **p, const char *end, uint64_t max, uint64_t *out);

/** Read a decimal number without sign: "5", "5.25", ".5", "1.029e+02". Returns 0 or
 * -EINVAL. Very large and very small ones come out as very large or 0. */
MUST_CHECK int number_read(const char **p, const char *end, double *out);

/** Write a latency, to a hundredth of a nanosecond and without useless zeros; it is
 * more than 0 (and is written as 0.01 at least). Not terminated. Returns the length. */
size_t number_write_ns(float ns, char out[NUMBER_NS_TEXT_MAX]);

/** Write an unsigned number. Not terminated. Returns the length, at most 10. */
size_t number_write_uint(unsigned int n, char *out);

#endif
