// SPDX-License-Identifier: MIT
/* What writer and reader of a record's text share. For them only. */
#ifndef QMPIN_ACT_RECORD_TEXT_H
#define QMPIN_ACT_RECORD_TEXT_H

#include "act/record.h"

#define RECORD_VERSION 1u

/* A thread takes some 60 bytes and its cpulist; what is longer on average is not saved
 * either, so what is saved can be loaded. */
#define RECORD_BYTES_MAX (RECORD_THREADS_MAX * 256u)

/* A thread is at most four members (pid or home) and its place in the array; the rest
 * is a handful. */
#define RECORD_VALUES_MAX (RECORD_THREADS_MAX * 5u + 64u)
#define RECORD_DEPTH_MAX 3u

/* As it is written; not of RECORD_BY_NOBODY, of which nothing is. */
const char *record_by_name(enum record_by by);

#endif
