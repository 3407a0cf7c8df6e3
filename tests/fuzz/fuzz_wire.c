// SPDX-License-Identifier: MIT
/* The probe's pipe with any bytes in it; what must hold is in pieces.h. */
#include "config.h"

#include "fuzz.h"

#include "pieces.h"
#include "probe/wire.h"

static void
fini(void *reader)
{
	wire_fini(reader);
}

static int
feed(void *reader, const char *bytes, size_t len)
{
	return wire_feed(reader, bytes, len);
}

static int
echo(void *reader, struct strbuf *out)
{
	struct wire_message m;
	int r = wire_next(reader, &m, NULL);

	if (r == 1)
		wire_put(out, &m);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pieces_of wire = {sizeof(struct wire), fini, feed, echo};

	pieces_check(&wire, data, size);
	return 0;
}
