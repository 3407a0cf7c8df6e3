// SPDX-License-Identifier: MIT
/*
 * Texts of measurements, with the checksum they have and with the right one: what is
 * accepted must say the same when it is written and read again, and a refused text must
 * leave the output alone and have a reason.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "probe/cache.h"

#define BODY_AT (sizeof("# qmpin latency 1\n# checksum 0123456789abcdef\n") - 1)

static void
check(const char *text, size_t len)
{
	struct cache c = {.measured_s = 77};
	struct err e = ERR_NONE;
	struct cache back;
	char *again[2];
	int r;

	r = cache_parse(text, len, "fuzz", &c, &e);
	assert((r < 0) == err_is_set(&e));
	if (r < 0) {
		assert(c.measured_s == 77 && c.matrix == NULL);
		return;
	}
	again[0] = cache_format(&c, &len);
	r = cache_parse(again[0], len, "fuzz", &back, NULL);
	assert(r == 0);
	again[1] = cache_format(&back, &len);
	assert(strcmp(again[0], again[1]) == 0);
	free(again[0]);
	free(again[1]);
	cache_fini(&back);
	cache_fini(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xcalloc(size + 1, 1);
	char sum[HASH_TEXT_MAX];

	check((const char *)data, size);
	if (size < BODY_AT)
		return 0;
	memcpy(text, data, size);
	hash_text(text + BODY_AT, size - BODY_AT, sum);
	memcpy(text + BODY_AT - sizeof(sum), sum, sizeof(sum) - 1);
	check(text, size);
	return 0;
}
