// SPDX-License-Identifier: MIT
/* The one state that the daemon's side and the model's share without an argument. */
#include "config.h"

#include "seam.h"

#include <stddef.h>

#include "base/str.h"

struct seam *
seam(void)
{
	static struct seam the;

	return &the;
}

bool
seam_alive(void)
{
	struct seam *s = seam();

	if (s->dead || s->kill_in == 0)
		return !s->dead;
	if (--s->kill_in > 0)
		return true;
	s->dead = true;
	s->on_death(s->owner);
	return false;
}

bool
seam_read_fault(const char *name)
{
	static const char *const names[N_FAULTS] = {
		[FAULT_NONE] = "none",
		[FAULT_MASK] = "mask",
		[FAULT_RECORD] = "record",
		[FAULT_BEYOND] = "beyond",
		[FAULT_BLIND] = "blind",
		[FAULT_PLAN] = "plan",
	};

	seam()->fault = FAULT_NONE;
	seam()->dice = rnd_new(1);
	for (unsigned int i = 0; name != NULL && i < N_FAULTS; i++) {
		if (!str_equal(names[i], name))
			continue;
		seam()->fault = (enum fault)i;
		return true;
	}
	return name == NULL;
}

bool
seam_fails(enum fault fault, unsigned int n)
{
	struct seam *s = seam();

	return s->fault == fault && rnd_below(&s->dice, n) == 0;
}
