// SPDX-License-Identifier: MIT
/*
 * Which host this is, for what was measured on it: processor, microcode, present CPUs
 * and nodes. CPUs that go offline and come back do not change it.
 */
#ifndef QMPIN_HOST_HOSTID_H
#define QMPIN_HOST_HOSTID_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define HOSTID_FINGERPRINT_MAX 17u /* 16 hexadecimal digits */
#define HOSTID_TEXT_MAX 160u

struct hostid {
	char fingerprint[HOSTID_FINGERPRINT_MAX];
	/* "AMD EPYC 7742 64-Core Processor, microcode 0x830107a, CPUs 0-255, 2 nodes"
	 */
	char text[HOSTID_TEXT_MAX];
	bool virtual; /* it is itself a virtual machine */
};

/**
 * Identify a host. What cannot be read counts as unknown.
 *
 * @root  the directory that stands for "/" and has passed sysroot_check; NULL or "":
 *        the running host, where the processor itself is asked instead of
 *        /proc/cpuinfo, which may be hidden from us
 *
 * Returns 0 or a negative errno with @e (no CPU directory at all).
 */
MUST_CHECK int hostid_read(const char *root, struct hostid *out, struct err *e);

#endif
