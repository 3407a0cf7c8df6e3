// SPDX-License-Identifier: MIT
/* Runs of qmpin plan on the host two-packages.xml, with files of a test's own. */
#ifndef QMPIN_TESTS_PLAN_RUN_H
#define QMPIN_TESTS_PLAN_RUN_H

#include "cli_run.h"
#include "ctl_world.h"

/* The beginning of an event; the VM's number and more follow. */
#define START "{\"ev\":\"start\",\"vm\":"

/** The path of a file in tests/data; free() it. */
char *plan_data_file(const char *name);

/** Write a file into the world's directory; plan_unlink_file its path. */
char *plan_new_file(const struct ctl_world *w, const char *name, const char *text);
void plan_unlink_file(char *path);

unsigned int plan_count_lines(const char *text);

/** qmpin plan --topology two-packages.xml @scenario; two more arguments may follow. */
void plan_run(struct ctl_world *w, const char *scenario, const char *more,
	const char *value, struct cli_result *r);

/** The mask of a VM's first vCPU in the last of these lines, as a list; free() it. */
char *plan_last_mask(const char *lines, const char *id);

#endif
