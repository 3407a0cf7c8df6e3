// SPDX-License-Identifier: MIT
/* Addresses of PCI devices as people write them. Pure. */
#ifndef QMPIN_PVE_PCIADDR_H
#define QMPIN_PVE_PCIADDR_H

#include "base/attr.h"
#include "pve/pvetext.h"

#define PCIADDR_MAX 24u /* with NUL; a domain has eight digits at most */

/**
 * Read "01:00.0", "0000:01:00.0", or a device with all its functions, "01:00".
 *
 * @out  written only on success: "0000:01:00.0" or "0000:01:00", in the words of
 *       /sys/bus/pci/devices
 *
 * Returns 0 or -EINVAL.
 */
MUST_CHECK int pciaddr_parse(struct pvetext t, char out[PCIADDR_MAX]);

#endif
