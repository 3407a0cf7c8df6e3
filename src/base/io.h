// SPDX-License-Identifier: MIT
/* Whole reads and writes on blocking descriptors. */
#ifndef QMPIN_BASE_IO_H
#define QMPIN_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/** Write all of it, however often that is interrupted. Returns 0 or a negative errno,
 * which errno is, too. */
MUST_CHECK int io_write_all(int fd, const char *bytes, size_t len);

/** Read to the end, at most @cap bytes. Returns their number or a negative errno, which
 * errno is, too. */
MUST_CHECK ssize_t io_read_all(int fd, char *buf, size_t cap);

#endif
