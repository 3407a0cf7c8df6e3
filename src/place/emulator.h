// SPDX-License-Identifier: MIT
/*
 * Where the emulator and the other threads of a VM go. Never outside the VM's limit: a
 * hot-plugged vCPU begins its life on the emulator's CPUs. A function of the topology
 * and the VM's own place only, so that other VMs coming and going move nothing. Pure.
 */
#ifndef QMPIN_PLACE_EMULATOR_H
#define QMPIN_PLACE_EMULATOR_H

#include "place/world.h"

/**
 * @domain  of its groups together
 * @vcpus   union of its vCPUs' masks
 */
struct cpuset emulator_mask(const struct world *w, const struct world_vm *vm,
	const struct cpuset *domain, const struct cpuset *vcpus);

#endif
