// SPDX-License-Identifier: MIT
/*
 * Bytes that are choices: a host, VMs with all kinds of rules, and events; what must
 * hold of the plans is in tests/unit/trials.h. With QMPIN_SHOW what happens is told.
 */
#include "config.h"

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "trials.h"

/* More of them find what other bytes find sooner. */
#define EVENTS 2u

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chance c = chance_of_bytes(data, size);
	struct trials t = {.show = getenv("QMPIN_SHOW") != NULL ? stderr : NULL};

	trials_run(&t, &c, EVENTS);
	if (t.inv.broken) {
		(void)fprintf(stderr, "%s\n", t.inv.text);
		abort();
	}
	return 0;
}
