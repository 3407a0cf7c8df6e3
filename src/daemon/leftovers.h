// SPDX-License-Identifier: MIT
/*
 * Records of VMs that ended while no daemon ran.
 */
#ifndef QMPIN_DAEMON_LEFTOVERS_H
#define QMPIN_DAEMON_LEFTOVERS_H

/**
 * Remove the records in the run directory whose process is gone or is another one by
 * now. What cannot be read stays: it is reported when its VM is met.
 *
 * @procfd  open directory of /proc
 *
 * Returns how many were removed.
 */
unsigned int leftovers_sweep(int procfd, int run_dirfd);

#endif
