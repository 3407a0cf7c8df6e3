// SPDX-License-Identifier: MIT
/*
 * Reasons in words. Each text is one line without a full stop; numbers have one
 * decimal where they are nanoseconds, CPUs or small shares. Nothing is decided here.
 */
#include "config.h"

#include "place/explain.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "place/why.h"

/* Terms with smaller differences are left out of a verdict. */
#define SHOWN_NS 0.05
#define SHOWN_CPUS 0.05

/* A node with less of a VM's memory is not where its memory is. */
#define HOME_SHARE 0.5

/* Guest nodes that are named one by one. */
#define NAMED_NODES 4u

struct text {
	char *buf;
	size_t size;
};

static void append(const struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
append(const struct text *t, const char *fmt, ...)
{
	size_t used = strlen(t->buf);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(t->buf + used, t->size - used, fmt, args);
	va_end(args);
}

static struct text
begin(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct text){buf, size};
}

static const char *
plural(unsigned int n)
{
	return n == 1 ? "" : "s";
}

/* ---- rules ---- */

/* "0-31"; long lists are cut. */
struct list {
	char text[48];
};

static const char *
list_of(struct list *l, const struct cpuset *set)
{
	if (cpuset_empty(set))
		return "(none)";
	return cpuset_format(set, l->text, sizeof(l->text));
}

/* "WHAT 0-31: 32 of 64 CPUs" */
static void
say_set(const struct text *t, const struct plan_input *in, const char *what,
	const struct cpuset *set)
{
	struct cpuset left = cpuset_and(&in->topo->online, set);
	struct list l;

	append(t, "%s %s: %u of %u CPUs", what, list_of(&l, set), cpuset_count(&left),
		cpuset_count(&in->topo->online));
}

/* The limits of its own, all together. */
static struct cpuset
own_limit(const struct plan_vm *vm)
{
	struct cpuset own = vm->limit;

	if (vm->affinity != NULL)
		own = cpuset_and(&own, vm->affinity);
	if (vm->cgroup != NULL)
		own = cpuset_and(&own, vm->cgroup);
	return own;
}

static void
say_isolated(
	const struct text *t, const struct plan_input *in, const struct plan_vm *vm)
{
	struct cpuset own = own_limit(vm);
	struct cpuset set = cpuset_and(&own, &in->topo->isolated);
	bool may = vm->mode == PLACE_PIN || vm->mode == PLACE_DEDICATED;
	struct list l;

	if (may)
		set = cpuset_minus(&set, &in->policy->isolated_usable);
	append(t, "isolated CPU%s %s: %s", plural(cpuset_count(&set)),
		list_of(&l, &set),
		may ? "not in isolated_cpus" : "only pin and dedicated may have them");
}

static void
say_host_nodes(const struct text *t, const struct plan_vm *vm)
{
	unsigned int named = 0;

	append(t, "guest nodes bound to host nodes:");
	for (unsigned int g = 0; g < vm->n_guest_nodes; g++) {
		const struct cpuset *ids = &vm->guest_nodes[g].host_nodes;
		struct list l;

		if (cpuset_empty(ids))
			continue;
		if (named == NAMED_NODES) {
			append(t, " and so on");
			return;
		}
		append(t, "%s %u to %s", named > 0 ? "," : "", g, list_of(&l, ids));
		named++;
	}
}

/* Rules that are sets of CPUs. */
static bool
say_cpu_rule(const struct text *t, const struct plan_input *in,
	const struct plan_vm *vm, const struct explain *e, enum explain_rule rule)
{
	struct cpuset own = own_limit(vm);
	struct cpuset set;
	struct list l;

	if (rule == EXPLAIN_OFFLINE) {
		set = cpuset_minus(&own, &in->topo->online);
		append(t, "CPU%s %s of its limit %s offline",
			plural(cpuset_count(&set)), list_of(&l, &set),
			cpuset_count(&set) == 1 ? "is" : "are");
	} else if (rule == EXPLAIN_LIMIT) {
		say_set(t, in, "the mask it had when it was first seen,", &vm->limit);
	} else if (rule == EXPLAIN_AFFINITY && vm->affinity != NULL) {
		say_set(t, in, "affinity of its configuration,", vm->affinity);
	} else if (rule == EXPLAIN_CGROUP && vm->cgroup != NULL) {
		say_set(t, in, "the cpuset of its cgroup,", vm->cgroup);
	} else if (rule == EXPLAIN_RESERVED) {
		set = cpuset_and(&own, &in->policy->reserved);
		append(t, "reserved_cpus keeps CPU%s %s for the host",
			plural(cpuset_count(&set)), list_of(&l, &set));
	} else if (rule == EXPLAIN_EXCLUSIVE) {
		append(t, "cores that are other VMs' alone: CPU%s %s",
			plural(cpuset_count(&e->exclusive)),
			list_of(&l, &e->exclusive));
	} else if (rule == EXPLAIN_ISOLATED) {
		say_isolated(t, in, vm);
	} else {
		return false;
	}
	return true;
}

/* Of VMs with cores of their own. */
static void
say_exclusive_rule(
	const struct text *t, const struct plan_input *in, enum explain_rule rule)
{
	if (rule == EXPLAIN_CPU0)
		append(t, "CPU 0's core is never a VM's alone");
	else
		append(t,
			"at most %u %% of a node's cores may be VMs' alone "
			"(dedicated_max_pct)",
			in->policy->dedicated_max_pct);
}

/* Why there is no second. */
static void
say_alone(const struct text *t, const struct plan_input *in, const struct explain *e,
	enum explain_rule rule)
{
	bool isolated = cpuset_overlap(&e->chosen.cpus, &in->topo->isolated);

	if (rule == EXPLAIN_SETTLED)
		append(t,
			"it keeps the %s while it runs, and is not compared with "
			"other places",
			isolated ? "isolated CPUs it has" : "cores that are its alone");
	else if (rule == EXPLAIN_NODE_BY_NODE)
		append(t,
			"its guest nodes are pinned one by one, and not compared with "
			"other places");
	else if (rule == EXPLAIN_EARLIER)
		append(t, "its CPUs were a domain before latencies were measured anew; "
			  "it keeps them, and is not compared with other places");
	else
		append(t,
			"what it may use has no other place with a CPU for each vCPU");
}

/* One that was widened rests for longer. */
static void
say_rest(const struct text *t, const struct plan_policy *p, const struct plan_vm *vm)
{
	double passed_s = p->now_s - vm->changed_s;

	if (passed_s < 0)
		append(t, "rebalance lets it rest for another %.0f s",
			p->rebalance_dwell_s - passed_s);
	else
		append(t,
			"rebalance lets it rest for %.0f s after a change, %.0f s "
			"have passed",
			p->rebalance_dwell_s, passed_s);
}

static void
say_other_rule(const struct text *t, const struct plan_input *in,
	const struct plan_vm *vm, const struct explain *e, enum explain_rule rule)
{
	const struct plan_policy *p = in->policy;

	switch ((int)rule) {
	case EXPLAIN_HOST_NODES:
		say_host_nodes(t, vm);
		break;
	case EXPLAIN_GUEST_CORES:
		append(t, "threads of a guest core belong on one host core");
		break;
	case EXPLAIN_CPU0:
	case EXPLAIN_NODE_SHARE:
		say_exclusive_rule(t, in, rule);
		break;
	case EXPLAIN_QUOTA:
		append(t,
			"its CPU quota of %.1f CPUs: so many of its %u vCPUs count as "
			"busy",
			vm->cpulimit, vm->n_vcpus);
		break;
	case EXPLAIN_WAITING:
		append(t,
			"wider than its vCPUs need, so that VMs wait at most %.1f %% "
			"of their time",
			100 * p->wait_mean_max);
		break;
	case EXPLAIN_DWELL:
		say_rest(t, p, vm);
		break;
	case EXPLAIN_CORES:
		append(t, "narrowed to whole cores since nobody else is in its domain; "
			  "it gets back all of it when somebody comes");
		break;
	default:
		say_alone(t, in, e, rule);
		break;
	}
}

char *
explain_rule_text(const struct plan_input *in, const struct plan_vm *vm,
	const struct explain *e, enum explain_rule rule, char *buf, size_t size)
{
	struct text t = begin(buf, size);

	if (!say_cpu_rule(&t, in, vm, e, rule))
		say_other_rule(&t, in, vm, e, rule);
	return buf;
}

/* Of all that VMs may use. */
static void
say_offline(const struct text *t, const struct plan_input *in)
{
	struct cpuset off = CPUSET_NONE;
	struct list l;

	for (unsigned int i = 0; i < in->n_vms; i++) {
		struct cpuset own = own_limit(&in->vms[i]);

		off = cpuset_or(&off, &own);
	}
	off = cpuset_minus(&off, &in->topo->online);
	append(t, "CPU%s %s %s offline", plural(cpuset_count(&off)), list_of(&l, &off),
		cpuset_count(&off) == 1 ? "is" : "are");
}

/* "isolated CPUs 2-5: only pin and dedicated may have 2-3 (isolated_cpus)" */
static void
say_host_isolated(const struct text *t, const struct plan_input *in)
{
	const struct cpuset *all = &in->topo->isolated;
	struct cpuset given = cpuset_and(all, &in->policy->isolated_usable);
	struct list l;

	append(t, "isolated CPU%s %s: ", plural(cpuset_count(all)), list_of(&l, all));
	if (cpuset_empty(&given))
		append(t, "not in isolated_cpus, so no VM may have them");
	else if (cpuset_equal(&given, all))
		append(t, "only pin and dedicated may have them");
	else
		append(t, "only pin and dedicated may have %s (isolated_cpus)",
			list_of(&l, &given));
}

char *
explain_host_text(
	const struct plan_input *in, enum explain_rule rule, char *buf, size_t size)
{
	struct text t = begin(buf, size);
	const struct cpuset *reserved = &in->policy->reserved;
	struct list l;

	if (rule == EXPLAIN_OFFLINE)
		say_offline(&t, in);
	else if (rule == EXPLAIN_RESERVED)
		append(&t, "reserved_cpus keeps CPU%s %s for the host",
			plural(cpuset_count(reserved)), list_of(&l, reserved));
	else if (rule == EXPLAIN_ISOLATED)
		say_host_isolated(&t, in);
	else if (rule == EXPLAIN_CPU0 || rule == EXPLAIN_NODE_SHARE)
		say_exclusive_rule(&t, in, rule);
	return buf;
}

/* ---- verdicts ---- */

/* ": memory +10.1, smt +2.2", the largest first. */
static void
say_differences(
	const struct text *t, const struct explain *e, const struct explain_option *o)
{
	bool said[N_TERMS] = {false};
	const char *before = ": ";

	for (unsigned int k = 0; k < N_TERMS; k++) {
		unsigned int most = N_TERMS;
		double of_most = SHOWN_NS;

		for (unsigned int i = 0; i < N_TERMS; i++) {
			double more = o->terms.ns[i] - e->chosen.terms.ns[i];

			if (!said[i] && fabs(more) > of_most) {
				of_most = fabs(more);
				most = i;
			}
		}
		if (most == N_TERMS)
			return;
		said[most] = true;
		append(t, "%s%s %+.1f", before, term_name((enum term)most),
			o->terms.ns[most] - e->chosen.terms.ns[most]);
		before = ", ";
	}
}

static void
say_waiting(
	const struct text *t, const struct explain *e, const struct explain_option *o)
{
	if (o->wait_mean > e->wait_mean_max)
		append(t,
			"would make VMs wait: %.1f %% of their time expected, %.1f %% "
			"is the bound",
			100 * o->wait_mean, 100 * e->wait_mean_max);
	else
		append(t,
			"would make VMs wait at busy times: in %.1f %% of the draws "
			"more than 5 %% of their time, %.1f %% is the bound",
			100 * o->wait_tail, 100 * e->wait_tail_max);
}

static const char *const hold_texts[] = {
	[EXPLAIN_FREE] = "rebalance may move it when its turn comes",
	[EXPLAIN_OFF] = "but it runs where it is, and rebalance is off",
	[EXPLAIN_STILL] =
		"but it is paused, others set its masks, or they could not be set",
	[EXPLAIN_RESTS] = "but it rests after its last change",
	[EXPLAIN_APART] =
		"but it keeps what was a domain before latencies were measured anew",
	[EXPLAIN_WIDER] = "but rebalance adds no CPUs to those that a VM has",
	[EXPLAIN_LITTLE] = "too little for rebalance to move it",
	[EXPLAIN_EASES] = "but rebalance moves nobody just so that VMs wait less",
	[EXPLAIN_CROWDED] =
		"but VMs would wait, and half of the bounds is left to newcomers",
	[EXPLAIN_PINNED] = "but its mode is never moved for a gain",
	[EXPLAIN_OBSERVED] = "but it is only observed",
};

static void
say_hold(const struct text *t, const struct explain *e)
{
	struct list l;

	if (e->hold == EXPLAIN_AWAY)
		append(t,
			"; but it only returns to CPU%s %s, when it can, has rested and gains "
			"enough",
			plural(cpuset_count(&e->home)), list_of(&l, &e->home));
	else
		append(t, "; %s", hold_texts[e->hold]);
}

char *
explain_verdict_text(
	const struct explain *e, const struct explain_option *o, char *buf, size_t size)
{
	double more = o->total_ns - e->chosen.total_ns;
	struct text t = begin(buf, size);

	switch (o->verdict) {
	case EXPLAIN_CHOSEN:
		append(&t, "chosen");
		return buf;
	case EXPLAIN_WAITS:
		say_waiting(&t, e, o);
		return buf;
	case EXPLAIN_DEARER:
	case EXPLAIN_STAYS:
	case EXPLAIN_HARMS:
		break;
	}
	if (fabs(more) < SHOWN_NS)
		append(&t, "costs the same");
	else
		append(&t, "costs %.1f ns %s a vCPU", fabs(more),
			more > 0 ? "more" : "less");
	say_differences(&t, e, o);
	if (o->verdict == EXPLAIN_STAYS)
		say_hold(&t, e);
	else if (o->verdict == EXPLAIN_HARMS)
		append(&t, "; but other VMs %.1f ns more in all", o->others_ns);
	return buf;
}

/* ---- what would be better ---- */

/* Rounded up to what is shown. */
static double
tenths_above(double x)
{
	return ceil(x * 10 - 1e-6) / 10;
}

/* "at least 4.0 of the 8 CPUs of node 1 were free, where others want 5.5" */
static void
say_room(const struct text *t, const struct explain *e, const char *where)
{
	unsigned int cpus = cpuset_count(&e->better.cpus);
	double need = tenths_above(e->better_free_cpus);
	bool named = strncmp(where, "CPU", 3) != 0; /* else it says CPUs itself */

	if (need < cpus)
		append(t, "at least %.1f of the ", need);
	else
		append(t, "all ");
	append(t, "%u ", cpus);
	if (named)
		append(t, "CPU%s of ", plural(cpus));
	append(t, "%s were free, where others want %.1f", where, e->better_load_cpus);
}

char *
explain_better_text(
	const struct plan_input *in, const struct explain *e, char *buf, size_t size)
{
	struct text t = begin(buf, size);
	char where[WHY_DOMAIN_MAX];
	unsigned int cpus = cpuset_count(&e->better.cpus);
	double less = e->chosen.total_ns - e->better.total_ns;

	if (!e->has_better)
		return buf;
	(void)why_domain(in->topo, &e->better.cpus, where, sizeof(where));
	if (e->better_load_cpus <= cpus - e->better_free_cpus + 1e-9)
		append(&t, "it was moved to %s, of whose %u CPU%s others want %.1f",
			where, cpus, plural(cpus), e->better_load_cpus);
	else
		say_room(&t, e, where);
	append(&t, "; if all were free: %.1f ns less a vCPU", less);
	return buf;
}

/* ---- terms ---- */

/* Pinned vCPUs pay for what they cannot have themselves, others for what all wait. */
static void
say_wait_term(const struct text *t, const struct explain_option *o)
{
	if (o->lost_share > 0)
		append(t, "%.1f %% of what its vCPUs want cannot run when all are busy",
			100 * o->lost_share);
	else
		append(t, "VMs wait %.1f %% of their time because of masks",
			100 * o->wait_mean);
}

static void
say_memory(const struct text *t, const struct plan_input *in,
	const struct explain_option *o)
{
	if (in->topo->n_nodes < 2)
		append(t, "the host has one node");
	else if (o->local_share < 0)
		append(t, o->imagined ? "where its memory is is not known"
				      : "its memory comes to lie where it runs");
	else
		append(t, "%.0f %% of its memory %s local", 100 * o->local_share,
			o->imagined ? "would be" : "is");
	if (in->topo->n_nodes < 2 || o->local_share < 0 || o->home_share < HOME_SHARE)
		return;
	if (o->imagined || o->local_share < 0.995)
		append(t, ", %.0f %% of it is on node %u", 100 * o->home_share,
			o->home);
}

static void
say_sharing(const struct text *t, const struct explain_option *o)
{
	if (o->shared_share < 0.005)
		append(t, "a core for each vCPU when all are busy");
	else
		append(t, "%.0f %% of its vCPUs share a core when all are busy",
			100 * o->shared_share);
	if (o->small_share >= 0.005)
		append(t, ", %.0f %% of its CPUs are efficiency cores",
			100 * o->small_share);
}

static void
say_pci(const struct text *t, const struct explain_option *o)
{
	if (o->terms.ns[TERM_PCI] < SHOWN_NS)
		append(t, "no passed-through device is on another node");
	else
		append(t, "passed-through devices are on another node");
}

static void
say_others(const struct text *t, const struct explain_option *o)
{
	unsigned int cpus = cpuset_count(&o->cpus);
	bool around = o->terms.ns[TERM_FRAGMENTATION] >= SHOWN_NS;

	if (o->load_cpus >= SHOWN_CPUS)
		append(t, "on its %u CPU%s others want up to %.1f%s", cpus,
			plural(cpus), o->load_cpus,
			around ? ", and CPUs around them" : "");
	else
		append(t, "others want none of its %u CPU%s%s", cpus, plural(cpus),
			around ? ", but CPUs around them" : "");
}

char *
explain_term_text(const struct plan_input *in, const struct explain_option *o,
	enum term t, char *buf, size_t size)
{
	struct text text = begin(buf, size);

	switch (t) {
	case TERM_WAITING:
		say_wait_term(&text, o);
		break;
	case TERM_MEMORY:
		say_memory(&text, in, o);
		break;
	case TERM_COMMUNICATION:
		append(&text, "mean latency between its vCPUs");
		break;
	case TERM_SMT:
		say_sharing(&text, o);
		break;
	case TERM_PCI:
		say_pci(&text, o);
		break;
	case TERM_FRAGMENTATION:
		say_others(&text, o);
		break;
	case TERM_MOVING:
		append(&text, "it stays where it is");
		break;
	case N_TERMS:
		break;
	}
	return buf;
}
