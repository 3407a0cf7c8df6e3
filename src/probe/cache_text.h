// SPDX-License-Identifier: MIT
/* What writer and reader of the measurement's text share. For them only. */
#ifndef QMPIN_PROBE_CACHE_TEXT_H
#define QMPIN_PROBE_CACHE_TEXT_H

#include "base/hash.h"
#include "probe/cache.h"

#define CACHE_FIRST_LINE "# qmpin latency "
#define CACHE_CHECKSUM_LINE "# checksum "
#define CACHE_FINGERPRINT_LINE "# fingerprint "
#define CACHE_HOST_LINE "# host "
#define CACHE_MEASURED_LINE "# measured "
#define CACHE_PLACE_LINE "# place "

#define CACHE_HEXADECIMAL "0123456789abcdef"
#define CACHE_CHECKSUM_DIGITS (HASH_TEXT_MAX - 1)

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

#endif
