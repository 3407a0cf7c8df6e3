// SPDX-License-Identifier: MIT
/* Why a VM is looked at again: names and properties, one table. Pure. */
#include "config.h"

#include "daemon/cause.h"

#include <assert.h>

/* In the order of telling: the first one of a set names a decision. */
static const struct {
	const char *name;
	bool needs_facts;
	bool by_guest;
} causes[CAUSE_N] = {
	[CAUSE_APPEARED] = {"appeared", true, false},
	[CAUSE_RECONNECTED] = {"reconnected", true, false},
	[CAUSE_RESUME] = {"resume", true, true},
	[CAUSE_STOP] = {"stop", true, true},
	[CAUSE_RESET] = {"reset", true, true},
	[CAUSE_SHUTDOWN] = {"shutdown", true, true},
	[CAUSE_HOTPLUG] = {"hotplug", true, true},
	[CAUSE_UNPLUG] = {"unplug", true, true},
	[CAUSE_MIGRATION] = {"migration", true, true},
	/* a guest's I/O makes pool workers, which have no name before QEMU 11 */
	[CAUSE_THREADS] = {"new threads", true, true},
	[CAUSE_CGROUP] = {"cgroup", false, false},
	[CAUSE_WAITING] = {"waiting", false, false},
	[CAUSE_DRIFT] = {"drift", false, false},
	[CAUSE_WORKERS] = {"late worker", false, false},
	[CAUSE_RETRY] = {"retry", true, false},
	[CAUSE_ADOPTION] = {"adoption", false, false},
	[CAUSE_MODE] = {"mode", false, false},
	[CAUSE_CONFIG] = {"configuration", false, false},
	[CAUSE_RELOAD] = {"reload", false, false},
	[CAUSE_MEASURED] = {"latencies measured", false, false},
	[CAUSE_HOST] = {"host CPUs", false, false},
	[CAUSE_REBALANCE] = {"rebalance", false, false},
	[CAUSE_NEIGHBOUR] = {"neighbours", false, false},
	[CAUSE_REQUEST] = {"apply", true, false},
	[CAUSE_RESTORE] = {"restore", false, false},
	[CAUSE_USED] = {"monitor used", true, false},
};

static const struct {
	enum qmp_event_kind kind;
	enum cause cause;
} of_event[] = {
	{QMP_EVENT_RESUME, CAUSE_RESUME},
	{QMP_EVENT_STOP, CAUSE_STOP},
	{QMP_EVENT_RESET, CAUSE_RESET},
	{QMP_EVENT_SHUTDOWN, CAUSE_SHUTDOWN},
	{QMP_EVENT_SUSPEND, CAUSE_STOP},
	{QMP_EVENT_WAKEUP, CAUSE_RESUME},
	{QMP_EVENT_DEVICE_DELETED, CAUSE_UNPLUG},
	{QMP_EVENT_DEVICE_UNPLUG_GUEST_ERROR, CAUSE_UNPLUG},
	{QMP_EVENT_ACPI_DEVICE_OST, CAUSE_HOTPLUG},
	{QMP_EVENT_MIGRATION, CAUSE_MIGRATION},
};

const char *
cause_name(enum cause c)
{
	return causes[c].name;
}

enum cause
cause_first(cause_set set)
{
	unsigned int c = 0;

	assert(set != 0);
	while ((set & 1u << c) == 0)
		c++;
	return (enum cause)c;
}

bool
cause_needs_facts(cause_set set)
{
	for (unsigned int c = 0; c < CAUSE_N; c++) {
		if ((set & 1u << c) != 0 && causes[c].needs_facts)
			return true;
	}
	return false;
}

bool
cause_by_guest(enum cause c)
{
	return causes[c].by_guest;
}

int
cause_of_event(enum qmp_event_kind kind)
{
	for (unsigned int i = 0; i < sizeof(of_event) / sizeof(of_event[0]); i++) {
		if (of_event[i].kind == kind)
			return (int)of_event[i].cause;
	}
	return -1;
}
