// SPDX-License-Identifier: MIT
/*
 * Why a VM is looked at again. A cause only marks work; what is done follows from the
 * state that is found. Pure.
 */
#ifndef QMPIN_DAEMON_CAUSE_H
#define QMPIN_DAEMON_CAUSE_H

#include <stdbool.h>

#include "qmp/monitor.h"

enum cause {
	CAUSE_APPEARED,
	CAUSE_RECONNECTED,
	CAUSE_RESUME,
	CAUSE_STOP,
	CAUSE_RESET,
	CAUSE_SHUTDOWN,
	CAUSE_HOTPLUG, /* ACPI_DEVICE_OST: the guest acknowledged something */
	CAUSE_UNPLUG,
	CAUSE_MIGRATION,
	CAUSE_THREADS, /* a thread came or went */
	CAUSE_HOST, /* CPUs of the host went or came: before drift, which it explains */
	CAUSE_CGROUP,	/* what its cgroup leaves it has changed: as the last */
	CAUSE_WAITING,	/* its vCPUs wait though CPUs idle; before drift, whose repairs
			 * say no reason */
	CAUSE_DRIFT,	/* a mask is not what it should be */
	CAUSE_WORKERS,	/* a pool worker has outlived its first seconds */
	CAUSE_RETRY,	/* the last attempt failed half-way */
	CAUSE_ADOPTION, /* its turn on a host that already ran VMs */
	CAUSE_MODE,	/* somebody has set its mode */
	CAUSE_CONFIG,	/* its configuration says something else */
	CAUSE_RELOAD,
	CAUSE_MEASURED,	 /* other CPUs are near each other than was thought */
	CAUSE_REBALANCE, /* it is better off elsewhere */
	CAUSE_NEIGHBOUR, /* another VM's change concerns it */
	CAUSE_REQUEST,	 /* somebody said: now */
	CAUSE_RESTORE,	 /* or: give the masks back; never a cause of work */
	CAUSE_USED,	 /* somebody else used the monitor; what they did tells more */
	CAUSE_N
};

/* One bit a cause. */
typedef unsigned int cause_set;

static inline cause_set
cause_bit(enum cause c)
{
	return 1u << c;
}

/** For logs and the control interface: "resume", "hotplug", "drift" ... */
const char *cause_name(enum cause c);

/** The most telling cause of a set that is not empty. */
enum cause cause_first(cause_set set);

/** Some cause of the set can only be answered by asking QMP. */
bool cause_needs_facts(cause_set set);

/** An event or a thread of QEMU: the guest, or who has taken over its QEMU, can bring
 * it about as often as they like. */
bool cause_by_guest(enum cause c);

/** The cause of an event, or -1 for events that change no thread. */
int cause_of_event(enum qmp_event_kind kind);

#endif
