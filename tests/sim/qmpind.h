// SPDX-License-Identifier: MIT
/*
 * The daemon, wired as daemon/service.c does it, without what the model has no part in:
 * signals, sockets, measuring.
 */
#ifndef QMPIN_TESTS_SIM_QMPIND_H
#define QMPIN_TESTS_SIM_QMPIND_H

#include <stdbool.h>

#include "daemon/engine.h"
#include "daemon/watch.h"
#include "judge.h"
#include "model.h"

struct qmpind {
	struct model *model;
	struct judge *judge;
	const char *run_dir;
	unsigned int audit_ms;
	struct engine *engine; /* NULL: it does not run */
	struct watch *watch;
	struct memory *memory;
	struct event *host_settle; /* as hostwatch's */
	int run_dirfd;
};

void qmpind_start(struct qmpind *d);
/** As on SIGTERM, and what is left to do when it was killed (see seam.h). */
void qmpind_stop(struct qmpind *d);

#endif
