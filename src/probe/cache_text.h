// SPDX-License-Identifier: MIT
/* What writer and reader of the measurement's text share. For them only. */
#ifndef QMPIN_PROBE_CACHE_TEXT_H
#define QMPIN_PROBE_CACHE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "probe/cache.h"

#define CACHE_FIRST_LINE "# qmpin latency "
#define CACHE_CHECKSUM_LINE "# checksum "
#define CACHE_FINGERPRINT_LINE "# fingerprint "
#define CACHE_HOST_LINE "# host "
#define CACHE_MEASURED_LINE "# measured "
#define CACHE_PLACE_LINE "# place "

#define CACHE_HEXADECIMAL "0123456789abcdef"
#define CACHE_CHECKSUM_DIGITS 16u

/* Visits and confidence are one character a pair, 0-9A-Za-z: visits from 61 on are not
 * told apart, confidence comes in steps. */
#define CACHE_DIGIT_MAX 61u
#define CACHE_CONFIDENCE_STEP_PCT 2u

enum cache_digits { CACHE_VISITS, CACHE_CONFIDENCE };

static inline const char *
cache_digits_line(enum cache_digits kind)
{
	return kind == CACHE_VISITS ? "# visits " : "# confidence ";
}

/* What a line of places holds behind its CPU, in this order. */
enum cache_field {
	CACHE_CORE,
	CACHE_L2,
	CACHE_L3,
	CACHE_NODE,
	CACHE_PACKAGE,
	CACHE_FIELDS,
};

static inline int *
cache_field(struct cache_place *p, enum cache_field field)
{
	int *const fields[] = {&p->core, &p->l2, &p->l3, &p->node, &p->package};

	return fields[field];
}

/** 64-bit FNV-1a, as hexadecimal digits: tells damage, not malice. Not terminated. */
static inline void
cache_checksum(const char *text, size_t len, char out[CACHE_CHECKSUM_DIGITS])
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	for (size_t i = CACHE_CHECKSUM_DIGITS; i > 0; i--, sum >>= 4)
		out[i - 1] = CACHE_HEXADECIMAL[sum & 15];
}

#endif
