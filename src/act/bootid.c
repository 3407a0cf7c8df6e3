// SPDX-License-Identifier: MIT
/* The boot the host runs in. */
#include "config.h"

#include "act/bootid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOTID_PATH "/proc/sys/kernel/random/boot_id"

int
bootid_parse(const char *text, char out[BOOTID_MAX])
{
	char id[BOOTID_MAX] = "";
	size_t len = 0;

	for (; *text != '\0' && strcmp(text, "\n") != 0; text++) {
		if (*text == '-')
			continue;
		if (len == BOOTID_MAX - 1 || strchr("0123456789abcdef", *text) == NULL)
			return -EINVAL;
		id[len++] = *text;
	}
	if (len != BOOTID_MAX - 1)
		return -EINVAL;
	memcpy(out, id, sizeof(id));
	return 0;
}

int
bootid_read(char out[BOOTID_MAX])
{
	auto_close int fd = open(BOOTID_PATH, O_RDONLY | O_CLOEXEC);
	const char *from_unit = getenv("QMPIN_BOOT_ID");
	char text[64] = "";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
		bootid_parse(text, out) == 0)
		return 0;
	if (from_unit != NULL && bootid_parse(from_unit, out) == 0)
		return 0;
	return -ENODATA;
}
