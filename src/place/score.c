// SPDX-License-Identifier: MIT
/* The objective of masks that somebody else may have made. */
#include "config.h"

#include "place/score.h"

#include <errno.h>

int
score_masks(const struct plan_input *in, struct score *out, struct err *e)
{
	(void)in;
	(void)out;
	return err_set(e, -EINVAL, "", 0, "not built yet");
}
