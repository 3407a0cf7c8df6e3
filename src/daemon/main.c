// SPDX-License-Identifier: MIT
/* Placeholder of the first commit; replaced by the daemon. */
#include "config.h"

int
main(void)
{
	return 1;
}
