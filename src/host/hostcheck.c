// SPDX-License-Identifier: MIT
/*
 * Facts of a host as lines for people. One function for each thing; what is unknown is
 * not told. Pure.
 */
#include "config.h"

#include "host/hostcheck.h"

#include <string.h>

#include "base/attr.h"
#include "base/str.h"

static void
check_kernel(const struct hostfacts *f, struct checks *out)
{
	if (f->kernel[0] == '\0')
		return;
	if (!f->pidfd) {
		checks_add(out, "kernel", CHECKS_PROBLEM,
			"Linux %s has no pidfd_open: no VM can be told from another",
			f->kernel);
		checks_advise(out, "run Linux 5.6 or later");
	} else if (!f->pidfd_getfd) {
		checks_add(out, "kernel", CHECKS_WARNING,
			"Linux %s has no pidfd_getfd: nobody can see who waits for a "
			"monitor",
			f->kernel);
		checks_advise(out, "run Linux 5.6 or later");
	} else {
		checks_add(out, "kernel", CHECKS_OK, "Linux %s has what is needed",
			f->kernel);
	}
}

static void
check_unified(const struct hostfacts *f, struct checks *out)
{
	if (f->unified == HOSTFACTS_NO) {
		checks_add(out, "cgroup", CHECKS_WARNING,
			"no unified cgroup hierarchy: quotas and cpusets of VMs, where "
			"their memory is and the load by others are not known");
		checks_advise(out, "boot without systemd.unified_cgroup_hierarchy=0");
	} else if (f->unified == HOSTFACTS_YES) {
		checks_add(out, "cgroup", CHECKS_OK, "a unified hierarchy is there");
	}
}

static void
check_slice(const struct hostfacts *f, struct checks *out)
{
	char slice[CPUSET_TEXT_MAX];
	char online[CPUSET_TEXT_MAX];

	if (!f->has_slice || !f->has_topology)
		return;
	if (cpuset_within(&f->online, &f->slice)) {
		checks_add(out, "qemu.slice", CHECKS_OK, "VMs may use all CPUs online");
		return;
	}
	checks_add(out, "qemu.slice", CHECKS_NOTE,
		"VMs may use CPUs %.120s of %.120s only, by the cpuset of their slice",
		cpuset_format(&f->slice, slice, sizeof(slice)),
		cpuset_format(&f->online, online, sizeof(online)));
	checks_advise(out, "if that is not meant: systemctl set-property qemu.slice "
			   "AllowedCPUs=");
}

static void
check_schedstat(const struct hostfacts *f, struct checks *out)
{
	if (f->schedstat == HOSTFACTS_NO) {
		checks_add(out, "schedstat", CHECKS_WARNING,
			"this kernel does not count how long threads wait for a CPU: "
			"VMs that wait are not given more CPUs");
		checks_advise(out, "run a kernel with CONFIG_SCHED_INFO");
	} else if (f->schedstat == HOSTFACTS_YES) {
		checks_add(out, "schedstat", CHECKS_OK,
			"the kernel counts how long threads wait");
	}
}

/* Those that are read through slow hardware and by a system call. */
static bool
is_slow_clock(const char *name)
{
	static const char *const slow[] = {
		"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};

	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		if (strcmp(name, slow[i]) == 0)
			return true;
	}
	return false;
}

static void
check_clock(const struct hostfacts *f, struct checks *out)
{
	if (f->clocksource[0] == '\0')
		return;
	if (!is_slow_clock(f->clocksource)) {
		checks_add(out, "clocksource", CHECKS_OK, "%s", f->clocksource);
		return;
	}
	checks_add(out, "clocksource", CHECKS_WARNING,
		"%s: reading the clock is slow, so measuring latencies costs more and "
		"says less; VMs suffer from it, too",
		f->clocksource);
	checks_advise(out, "see why the kernel gave up its own one: journalctl -k -g "
			   "clocksource");
}

static void
check_virtual(const struct hostfacts *f, struct checks *out)
{
	if (!f->has_topology)
		return;
	if (!f->virtual) {
		checks_add(out, "machine", CHECKS_OK, "it is no virtual machine");
		return;
	}
	checks_add(out, "machine", CHECKS_NOTE,
		"this host is itself a virtual machine: its CPUs are moved about below "
		"it, so measured latencies are not trusted");
}

static void
check_smt(const struct hostfacts *f, struct checks *out)
{
	if (str_equal(f->smt, "on"))
		checks_add(out, "smt", CHECKS_OK,
			"on: siblings of a core may serve different VMs (setting smt)");
	else if (str_equal(f->smt, "off") || str_equal(f->smt, "forceoff"))
		checks_add(out, "smt", CHECKS_OK, "switched off");
	else if (f->smt[0] != '\0')
		checks_add(out, "smt", CHECKS_OK, "one thread a core");
}

static void
check_isolated(const struct hostfacts *f, struct checks *out)
{
	struct cpuset unlisted;
	char text[CPUSET_TEXT_MAX];

	if (!f->has_topology || cpuset_empty(&f->isolated))
		return;
	unlisted = f->has_listed ? cpuset_minus(&f->isolated, &f->listed) : f->isolated;
	if (cpuset_empty(&unlisted)) {
		checks_add(out, "isolated", CHECKS_OK,
			"CPUs %.200s: for VMs in mode pin or dedicated",
			cpuset_format(&f->isolated, text, sizeof(text)));
		return;
	}
	checks_add(out, "isolated", CHECKS_NOTE,
		"CPUs %.200s are isolated from the kernel's balancing: %s",
		cpuset_format(&unlisted, text, sizeof(text)),
		f->has_listed ? "no VM gets them"
			      : "only VMs in mode pin or dedicated get them, if they "
				"are listed in isolated_cpus");
	if (f->has_listed)
		checks_advise(out,
			"if VMs in mode pin or dedicated should: "
			"isolated_cpus = %.200s",
			cpuset_format(&f->isolated, text, sizeof(text)));
}

static void
check_balancing(const struct hostfacts *f, struct checks *out)
{
	bool off = str_equal(f->numa_balancing, "0");

	if (f->numa_balancing[0] == '\0' || !f->has_topology || f->n_nodes < 2)
		return;
	if (off)
		checks_add(out, "numa_balancing", CHECKS_OK,
			"off: memory stays where it is");
	else
		checks_add(out, "numa_balancing", CHECKS_OK,
			"on: memory that is not bound follows its VM's vCPUs");
}

static void
check_programs(const struct hostfacts *f, struct checks *out)
{
	if (f->programs[HOSTFACTS_NUMAD] == HOSTFACTS_YES) {
		checks_add(out, "numad", CHECKS_WARNING, HOSTCHECK_NUMAD);
		checks_advise(out, "systemctl disable --now numad");
	}
	if (f->programs[HOSTFACTS_IRQBALANCE] == HOSTFACTS_YES)
		checks_add(out, "irqbalance", CHECKS_OK,
			"runs: it moves interrupts only, which is no conflict");
	if (f->programs[HOSTFACTS_TUNED] == HOSTFACTS_YES) {
		checks_add(out, "tuned", CHECKS_NOTE,
			"tuned runs: profiles that isolate CPUs (cpu-partitioning, "
			"realtime) change masks of threads, too");
		checks_advise(out, "tuned-adm active tells the profile");
	}
	if (f->programs[HOSTFACTS_LIBVIRT] == HOSTFACTS_YES) {
		checks_add(out, "libvirt", CHECKS_NOTE,
			"libvirt runs: it pins VMs of its own (vcpupin, emulatorpin)");
		checks_advise(out, "leave those VMs to it, or have them without such "
				   "settings");
	}
}

void
hostcheck_run(const struct hostfacts *f, struct checks *out)
{
	check_kernel(f, out);
	check_unified(f, out);
	check_slice(f, out);
	check_schedstat(f, out);
	check_clock(f, out);
	check_virtual(f, out);
	check_smt(f, out);
	check_isolated(f, out);
	check_balancing(f, out);
	check_programs(f, out);
}
