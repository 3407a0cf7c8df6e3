// SPDX-License-Identifier: MIT
/*
 * What is told to people about the ways in which monitors are shared: notes of VMs and
 * warnings of the daemon. Reads only.
 */
#ifndef QMPIN_DAEMON_SHARING_H
#define QMPIN_DAEMON_SHARING_H

#include <stddef.h>

struct engine;
struct vm;

#define SHARING_WARNINGS_MAX 3u

/** Why a VM's monitor is shared in another way than asked for, as a new string; NULL:
 * it is as asked for. */
char *sharing_note(const struct engine *e, const struct vm *vm);

/** One line for each thing that is not as it should be, however many VMs it concerns.
 * Returns how many; @out gets new strings and has room for SHARING_WARNINGS_MAX. */
size_t sharing_warnings(const struct engine *e, char **out);

#endif
