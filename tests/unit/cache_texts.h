// SPDX-License-Identifier: MIT
/* A text of a measurement, and reading it, for the tests of probe/cache.h. Include
 * cmocka.h first. */
#ifndef QMPIN_TESTS_CACHE_TEXTS_H
#define QMPIN_TESTS_CACHE_TEXTS_H

#include <stdlib.h>

#include "base/attr.h"
#include "probe/cache.h"

#define FINGERPRINT "00c0ffee12345678"
/* Where what the checksum is about begins. */
#define BODY_AT (sizeof("# qmpin latency 1\n# checksum 0123456789abcdef\n") - 1)

/* CPUs 0, 2 and 3; nothing is known of 0 and 3. */
static const char small_text[] = "# qmpin latency 1\n"
				 "# checksum c5fccb2a35fd7b00\n"
				 "# fingerprint " FINGERPRINT "\n"
				 "# host A CPU, microcode 0x1\n"
				 "# measured 1700000000\n"
				 "# place 0 0 0 0 0 0\n"
				 "# place 2 2 -1 0 0 0\n"
				 "# place 3 2 -1 -1 -1 131072\n"
				 "# visits 2 4\n"
				 "# visits 3 0z\n"
				 "# confidence 2 o\n"
				 "# confidence 3 0A\n"
				 "cpu,0,2,3\n"
				 "0,,,\n"
				 "2,100.5,,\n"
				 "3,,8.07,\n";

static inline struct cache
parse(const char *text, size_t len)
{
	struct err e = ERR_NONE;
	struct cache c;

	if (cache_parse(text, len, "f", &c, &e) < 0)
		fail_msg("%s:%u: %s", e.source, e.line, e.text);
	return c;
}

/* Written, read and written again, the text is the same. */
static inline void
assert_stable(const struct cache *c)
{
	size_t len;
	auto_free char *once = cache_format(c, &len);
	struct cache back = parse(once, len);
	auto_free char *twice = cache_format(&back, &len);

	assert_string_equal(once, twice);
	cache_fini(&back);
}

#endif
