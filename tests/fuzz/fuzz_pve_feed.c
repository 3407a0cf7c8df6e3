// SPDX-License-Identifier: MIT
/* The pipe from qmpin-pve with any bytes in it; what must hold is in pieces.h. */
#include "config.h"

#include "fuzz.h"

#include "pieces.h"
#include "pve/pvefeed.h"

static void
fini(void *reader)
{
	pvefeed_fini(reader);
}

static int
feed(void *reader, const char *bytes, size_t len)
{
	return pvefeed_take(reader, bytes, len);
}

static int
echo(void *reader, struct strbuf *out)
{
	struct pvefeed_message m;
	int r = pvefeed_next(reader, &m, NULL);

	if (r == 1)
		pvefeed_put(out, &m);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pieces_of pipe = {sizeof(struct pvefeed), fini, feed, echo};

	pieces_check(&pipe, data, size);
	return 0;
}
