// SPDX-License-Identifier: MIT
/* The list of invariants: what they say, how often they were checked, and when two
 * results are the same. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "invariants.h"

static const char *const names[N_INVARIANTS] = {
	[INV_SHAPE] = "a result has a mask for each vCPU and a reason",
	[INV_VERDICT] = "the verdict says what happens",
	[INV_NOT_REFUSED] = "what is possible is not refused",
	[INV_INSIDE] = "vCPUs stay inside what the VM may use",
	[INV_RESERVED] = "reserved CPUs are left alone",
	[INV_ISOLATED] = "isolated CPUs serve one pinned vCPU each",
	[INV_HOST_NODES] = "guest nodes stay on their host nodes",
	[INV_ONE_CPU] = "pinned vCPUs have one CPU",
	[INV_ONE_CORE] = "mode core: a vCPU has one core",
	[INV_GUEST_THREADS] = "threads of a guest core are together",
	[INV_WIDENED] = "who waited may use CPUs that idled",
	[INV_ALONE] = "cores that are a VM's alone are no other VM's",
	[INV_CPU0] = "CPU 0's core is nobody's alone",
	[INV_NODE_SHARE] = "no more of a node is exclusive than allowed",
	[INV_QUOTA] = "auto does not narrow a VM with a quota",
	[INV_WHOLE_CORES] = "auto gives whole cores, for the VM alone",
	[INV_ROOM] = "floating vCPUs have a CPU each, if there are",
	[INV_LAMINAR] = "masks without limits are nested or disjoint",
	[INV_EMULATOR] = "the emulator is where a vCPU may be born",
	[INV_MOVED] = "nobody is moved without need",
	[INV_REBALANCED] = "rebalance keeps to its allowance",
	[INV_HOME] = "for a gain pinned vCPUs only return to what they had",
	[INV_REPEATS] = "the same input gives the same bytes",
	[INV_ORDER] = "the order of VMs changes nothing",
	[INV_SETTLES] = "planning again changes nothing",
	[INV_NUMBERS] = "other CPU numbers change nothing that matters",
	[INV_NEWCOMER] = "an idle newcomer moves nobody",
	[INV_RETURNS] = "a VM that comes back to an empty host gets its place",
	[INV_NOT_WORSE] = "rebalance makes nothing worse",
	[INV_COMES_TO_REST] = "rebalance comes to rest",
};

const char *
invariant_name(enum invariant i)
{
	return names[i];
}

bool
invariant_check(struct invariants *v, enum invariant i, bool ok, const char *vm,
	const char *what)
{
	v->checked[i]++;
	if (ok || v->broken)
		return ok;
	v->broken = true;
	v->which = i;
	(void)snprintf(v->text, sizeof(v->text), "not so: %s%s%s; %s", names[i],
		vm != NULL ? "; vm " : "", vm != NULL ? vm : "", what);
	return ok;
}

bool
invariants_same(const struct plan_result *a, const struct plan_result *b, bool why)
{
	if (a->verdict != b->verdict || a->apply != b->apply || a->tier != b->tier ||
		a->rebalanced != b->rebalanced || a->n_vcpus != b->n_vcpus ||
		!cpuset_equal(&a->emulator, &b->emulator) ||
		!cpuset_equal(&a->domain, &b->domain) ||
		(why && strcmp(a->why, b->why) != 0))
		return false;
	for (unsigned int v = 0; v < a->n_vcpus; v++) {
		if (!cpuset_equal(&a->vcpus[v], &b->vcpus[v]))
			return false;
	}
	return true;
}
