// SPDX-License-Identifier: MIT
/*
 * hwloc's settings are environment variables of the process. This sets them for one load
 * and puts back what was there, so that neither the user's settings nor ours leak.
 */
#ifndef QMPIN_HOST_HWENV_H
#define QMPIN_HOST_HWENV_H

#include "base/attr.h"

struct hwenv;

/**
 * Take all HWLOC_* variables out of the environment and set ours: no plugins (they load
 * GPU libraries), no x86 probing (it visits every CPU), no messages on stderr.
 *
 * @fsroot  directory that hwloc takes for "/", or NULL
 *
 * Not for use while another thread reads the environment.
 */
MUST_CHECK struct hwenv *hwenv_enter(const char *fsroot);

/** Put the environment back; frees @env. */
void hwenv_leave(struct hwenv *env);

#endif
