// SPDX-License-Identifier: MIT
/*
 * What analyzers, which see one file at a time, must know to follow the code. Included
 * before everything else by make analyze-gcc and analyze-tidy, in no program.
 */
#include "config.h"

#include "base/err.h"

/* Programs that makefiles name. */
#define DAEMON_PROGRAM "qmpind"
#define MIGRATE_PROGRAM "qmpin-migrate"
#define PROBE_PROGRAM "qmpin-probe"
#define PVE_PROGRAM "qmpin-pve"

/* It returns @ret. */
#ifndef ANALYZED_ERR
#define err_set(e, ret, ...) ((void)err_set(e, 0, __VA_ARGS__), (ret))
#endif
