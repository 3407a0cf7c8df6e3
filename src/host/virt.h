// SPDX-License-Identifier: MIT
/*
 * Is a host itself a virtual machine? What is measured inside of one says little: its
 * CPUs are moved about below it.
 */
#ifndef QMPIN_HOST_VIRT_H
#define QMPIN_HOST_VIRT_H

#include <stdbool.h>

#include "host/cpuident.h"

/**
 * Ask the processor's answer first, then the firmware's names, then Xen and the device
 * tree. The host domain of Xen is no virtual machine in this sense. Answers as
 * `systemd-detect-virt --vm` does.
 *
 * @root  "" for the running host
 */
bool virt_detect(const char *root, const struct cpuident *id);

#endif
