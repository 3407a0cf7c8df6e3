// SPDX-License-Identifier: MIT
/*
 * What the service manager is told (sd_notify): started, reloading, stopping, status
 * and that we are alive. Without a service manager nothing is sent and all of it
 * succeeds. The environment is only read: nothing is unset.
 *
 * The answers may be ignored; a manager that does not hear us acts on its own timeouts.
 */
#ifndef QMPIN_DAEMON_NOTIFY_H
#define QMPIN_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"

struct notify {
	bool active;	   /* somebody listens */
	uint64_t alive_us; /* period of notify_alive(), half of WatchdogSec; 0: not
			      wanted */
};

/** Read NOTIFY_SOCKET and the watchdog's variables. */
void notify_open(struct notify *n);

/**
 * Start-up or a reload has ended. Each of these returns 0 or a negative errno.
 *
 * @status  as for notify_status
 */
int notify_ready(const struct notify *n, const char *status);

/** A reload begins; notify_ready() ends it. */
int notify_reloading(const struct notify *n, const struct clock *clock);

int notify_stopping(const struct notify *n);

/** One line for "systemctl status"; control characters and the like are escaped. */
int notify_status(const struct notify *n, const char *status);

/** The main loop turns. */
int notify_alive(const struct notify *n);

#endif
