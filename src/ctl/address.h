// SPDX-License-Identifier: MIT
/* The address of a socket in the run directory, however long the directory's path is.
 */
#ifndef QMPIN_CTL_ADDRESS_H
#define QMPIN_CTL_ADDRESS_H

#include <sys/un.h>

#include "base/attr.h"

/**
 * Write the address of @dir/@name.
 *
 * @dirfd  the directory, open; used where the path does not fit in an address (108
 *         bytes). Must stay open while the address is used.
 * @out    written only on success
 *
 * Returns 0 or -ENAMETOOLONG (@name).
 */
MUST_CHECK int address_fill(
	int dirfd, const char *dir, const char *name, struct sockaddr_un *out);

#endif
