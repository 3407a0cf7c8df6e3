// SPDX-License-Identifier: MIT
/* What is right and wrong with a host, by facts about it. Pure. */
#ifndef QMPIN_HOST_HOSTCHECK_H
#define QMPIN_HOST_HOSTCHECK_H

#include "base/checks.h"
#include "host/hostfacts.h"

/* Said by who has found it running. */
#define HOSTCHECK_NUMAD "numad runs: it moves threads and memory of VMs, too"

/** A line for each thing that is known, in a fixed order. */
void hostcheck_run(const struct hostfacts *f, struct checks *out);

#endif
