// SPDX-License-Identifier: MIT
/* Whole writes on blocking descriptors. */
#ifndef QMPIN_BASE_IO_H
#define QMPIN_BASE_IO_H

#include <stddef.h>

#include "base/attr.h"

/** Write all of it, however often that is interrupted. Returns 0 or a negative errno,
 * which errno is, too. */
MUST_CHECK int io_write_all(int fd, const char *bytes, size_t len);

#endif
