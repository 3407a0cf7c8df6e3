// SPDX-License-Identifier: MIT
/* Room for thousands of processes and threads, made where that is permitted. */
#ifndef QMPIN_TESTS_FLEET_ROOM_H
#define QMPIN_TESTS_FLEET_ROOM_H

#include <stddef.h>

/**
 * Make room for @threads more threads in @processes more processes, with one open file
 * here for each process. The kernel's pid_max is raised for that, if need be, and
 * stays.
 *
 * @why  what is missing otherwise
 *
 * Returns 0 or -1.
 */
int room_make(unsigned int processes, unsigned int threads, char *why, size_t size);

#endif
