// SPDX-License-Identifier: MIT
/*
 * Kernel events on demand: where /sys can be written, the kernel repeats an event of a
 * device, which changes nothing. Every listener of the machine hears it, so tests that
 * count events take turns.
 */
#ifndef QMPIN_TESTS_REPEAT_H
#define QMPIN_TESTS_REPEAT_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define REPEAT_CPU "/sys/devices/system/cpu/cpu0/uevent"
#define REPEAT_OTHER "/sys/devices/virtual/mem/null/uevent"

/** Wait for our turn. Returns a descriptor: our turn ends when it is closed. */
static inline int
repeat_turn(void)
{
	int fd = open(REPEAT_CPU, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

/** Returns 0 or a negative errno: the kernel does not do it for us. */
static inline int
repeat_event(const char *path, const char *action)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, action, strlen(action)) < 0)
		r = -errno;
	close(fd);
	return r;
}

#endif
