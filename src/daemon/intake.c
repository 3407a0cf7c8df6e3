// SPDX-License-Identifier: MIT
/* One text and when it may be looked at. What it says is the business of others. */
#include "config.h"

#include "daemon/intake.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* At most so often, and so seldom that the time it takes (0.1 s with a thousand CPUs)
 * is no more than a fiftieth. */
#define INTAKE_US 1000000u
#define INTAKE_COST 50u

void
intake_put(struct intake *in, const char *text, size_t len)
{
	free(in->text);
	in->text = xmemdupz(text, len);
	in->len = len;
	in->is_new = true;
}

bool
intake_is_due(const struct intake *in, uint64_t now_us)
{
	return in->is_new && now_us >= in->due_us;
}

void
intake_rest(struct intake *in, uint64_t began_us, uint64_t now_us)
{
	uint64_t pause_us = INTAKE_COST * (now_us - began_us);

	in->due_us = now_us + (pause_us > INTAKE_US ? pause_us : INTAKE_US);
}

void
intake_drop(struct intake *in)
{
	free(take_ptr(&in->text));
	in->is_new = false;
}
