// SPDX-License-Identifier: MIT
/*
 * Kernel events about CPUs going online and offline: a netlink socket, no udev. The
 * kernel tells them in every network namespace that belongs to the first user
 * namespace.
 */
#ifndef QMPIN_HOST_UEVENT_H
#define QMPIN_HOST_UEVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/** A non-blocking socket that becomes readable when the kernel has events. Returns the
 * descriptor or a negative errno with @e. */
MUST_CHECK int uevent_open(struct err *e);

/**
 * Read what there is; a flood of events is left to the next call after some thousand.
 *
 * Returns true when something of it was about a CPU or node, or when events were lost
 * (ENOBUFS). Datagrams that are not the kernel's count for nothing.
 */
bool uevent_drain(int fd);

/**
 * Is this datagram about a CPU or node that comes or goes? Pure.
 *
 * @bytes  "offline@/devices/system/cpu/cpu3", NUL, then keys, which are not looked at:
 *         the kernel makes both from the same words
 */
bool uevent_concerns_cpus(const char *bytes, size_t len);

#endif
