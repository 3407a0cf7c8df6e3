// SPDX-License-Identifier: MIT
/* Messages to the service manager; libsystemd sends them. */
#include "config.h"

#include "daemon/notify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/str.h"

#define STATUS_MAX 512u

void
notify_open(struct notify *n)
{
	uint64_t watchdog_us = 0;

	n->active = getenv("NOTIFY_SOCKET") != NULL;
	/* half: systemd's advice (sd_watchdog_enabled(3)), one message may be late */
	n->alive_us = sd_watchdog_enabled(0, &watchdog_us) > 0 ? watchdog_us / 2 : 0;
}

static int
tell(const struct notify *n, const char *message)
{
	int r = n->active ? sd_notify(0, message) : 0;

	return r < 0 ? r : 0;
}

/* @prefix and then @status made one line, so that text from outside adds no variable.
 */
static int
tell_status(const struct notify *n, const char *prefix, const char *status)
{
	char line[STATUS_MAX];
	int r;

	str_escape(status, strlen(status), line, sizeof(line));
	r = n->active ? sd_notifyf(0, "%sSTATUS=%s", prefix, line) : 0;
	return r < 0 ? r : 0;
}

int
notify_ready(const struct notify *n, const char *status)
{
	return tell_status(n, "READY=1\n", status);
}

int
notify_reloading(const struct notify *n, const struct clock *clock)
{
	int r = 0;

	/* the time is for Type=notify-reload; others ignore it */
	if (n->active)
		r = sd_notifyf(
			0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_us(clock));
	return r < 0 ? r : 0;
}

int
notify_stopping(const struct notify *n)
{
	return tell(n, "STOPPING=1");
}

int
notify_status(const struct notify *n, const char *status)
{
	return tell_status(n, "", status);
}

int
notify_alive(const struct notify *n)
{
	return tell(n, "WATCHDOG=1");
}
