// SPDX-License-Identifier: MIT
/*
 * An engine without passes, sockets and threads, for what is only thought of: three VMs
 * of four vCPUs on an imaginary host of two nodes, each with an L3 of four CPUs.
 */
#ifndef QMPIN_TESTS_VMTABLE_H
#define QMPIN_TESTS_VMTABLE_H

#include <stdint.h>

#include "base/clock.h"
#include "daemon/engine.h"
#include "logcatch.h"

#define VMTABLE_VMS 3u
#define VMTABLE_VCPUS 4u

struct vmtable {
	struct clock clock;
	uint64_t now_us;
	struct engine engine;
	struct vm *vms[VMTABLE_VMS]; /* 100, 101, 102 */
	struct logcatch log;
};

/** cmocka's setup and teardown; *state is the table. */
int vmtable_setup(void **state);
int vmtable_teardown(void **state);

/** The host has all its CPUs but these. */
void vmtable_take_cpus(struct vmtable *t, const struct cpuset *offline);

/** Other settings than the defaults. */
void vmtable_configure(struct vmtable *t, const char *text);

/** All its threads run there, by an earlier plan that was carried out. */
void vmtable_place(struct vm *vm, const struct cpuset *cpus);

#endif
