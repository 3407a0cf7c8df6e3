// SPDX-License-Identifier: MIT
/*
 * What a VM may have by the rules of its input alone, whatever others have: for
 * invariants.c.
 */
#ifndef QMPIN_TESTS_VMRULES_H
#define QMPIN_TESTS_VMRULES_H

#include "place/planner.h"

/** Online, not reserved, not isolated. */
struct cpuset vmrules_ordinary(const struct plan_input *in);

/** The VM's own rules, as far as CPUs are online. */
struct cpuset vmrules_limit(const struct plan_input *in, const struct plan_vm *vm);

/** CPUs a vCPU may have: all rules but others' exclusive cores. */
struct cpuset vmrules_may(
	const struct plan_input *in, const struct plan_vm *vm, unsigned int vcpu);

/** Where a vCPU is in the guest. */
unsigned int vmrules_guest_node(const struct plan_vm *vm, unsigned int vcpu);
unsigned int vmrules_guest_core(const struct plan_vm *vm, unsigned int vcpu);

/** That it waited counts: nothing was promised to it, and the kernel may move it. */
bool vmrules_may_widen(const struct plan_input *in, const struct plan_vm *vm);

#endif
