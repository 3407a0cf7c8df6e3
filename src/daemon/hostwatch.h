// SPDX-License-Identifier: MIT
/*
 * Which host CPUs are online, looked at again and again: the kernel's file is the
 * truth, whatever event tells of it or does not.
 */
#ifndef QMPIN_DAEMON_HOSTWATCH_H
#define QMPIN_DAEMON_HOSTWATCH_H

struct event_base;
struct hostwatch;

/**
 * Watch @path (".../sys/devices/system/cpu/online").
 *
 * @interval_ms  between two looks
 * @on_change    the text is another one than at the last look; not called for the first
 *
 * Returns a new object, never NULL. A file that cannot be read counts as unchanged.
 */
struct hostwatch *hostwatch_new(struct event_base *base, const char *path,
	unsigned int interval_ms, void (*on_change)(void *owner), void *owner);

void hostwatch_free(struct hostwatch *w);

#endif
