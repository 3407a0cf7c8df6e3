// SPDX-License-Identifier: MIT
/*
 * Which devices of the host a QEMU was started with, by its command line. That is the
 * process's own memory, so what it says is a hint and no proof. Pure.
 *
 * Source: QEMU's docs, vfio-pci (host=, sysfsdev=), 7.2 to 11.1; -device also takes an
 * object as JSON.
 */
#ifndef QMPIN_VM_VFIO_H
#define QMPIN_VM_VFIO_H

#include <stddef.h>

#define VFIO_NAME_MAX 64u

/* Of a device: "0000:01:00.0", or the UUID of a mediated one. */
typedef void vfio_handle(void *arg, const char *name);

/** Hand over the devices of a command line, as /proc has it: @len bytes of words that
 * end in NUL each; the last one may be cut. */
void vfio_each(const char *words, size_t len, vfio_handle *handle, void *arg);

#endif
