// SPDX-License-Identifier: MIT
/* Which VM is where, in an SVG picture. Pure. */
#ifndef QMPIN_CTL_SVG_VMS_H
#define QMPIN_CTL_SVG_VMS_H

#include "ctl/svg_page.h"

/** Bands beside the matrix, and the VMs' names beside them. */
void svg_vms_add(struct svg_page *p);

#endif
