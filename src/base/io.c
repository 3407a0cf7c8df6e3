// SPDX-License-Identifier: MIT
/* Whole writes on blocking descriptors. */
#include "config.h"

#include "base/io.h"

#include <errno.h>
#include <unistd.h>

int
io_write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}
