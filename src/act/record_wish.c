// SPDX-License-Identifier: MIT
/* What of a wish counts. */
#include "config.h"

#include "act/record_wish.h"

bool
record_wish_equal(const struct record_wish *a, const struct record_wish *b)
{
	return a->known == b->known && a->by == b->by && a->has_mode == b->has_mode &&
	       (!a->has_mode || a->mode == b->mode) && a->has_smt == b->has_smt &&
	       (!a->has_smt || a->smt == b->smt) &&
	       a->has_emulator == b->has_emulator &&
	       (!a->has_emulator || a->emulator == b->emulator) &&
	       a->pinning == b->pinning && a->has_affinity == b->has_affinity &&
	       (!a->has_affinity || cpuset_equal(&a->affinity, &b->affinity));
}
