// SPDX-License-Identifier: MIT
/*
 * The address of a socket in the run directory. The plain path where it fits, so that
 * `ss -xl` shows what people look for; else by way of the open directory.
 */
#include "config.h"

#include "ctl/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int
address_fill(int dirfd, const char *dir, const char *name, struct sockaddr_un *out)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s",
			dirfd, name);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	*out = a;
	return 0;
}
