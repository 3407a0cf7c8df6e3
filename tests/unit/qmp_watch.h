// SPDX-License-Identifier: MIT
/* A monitor with an owner who writes down what it is told. */
#ifndef QMPIN_TESTS_QMP_WATCH_H
#define QMPIN_TESTS_QMP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "qmp/monitor.h"

/* Sanitizers keep freed memory: what a process holds says nothing then. */
#if defined(__SANITIZE_ADDRESS__)
#define QMPIN_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define QMPIN_SANITIZED
#endif
#endif

struct watch {
	struct event_base *base;
	struct monitor *monitor; /* NULL once freed in a callback */
	char folder[64];
	char path[1024];
	struct monitor_commons commons;
	struct monitor_options options;
	int pidfd; /* of the last peer; -1: none */

	/* what the owner does */
	bool deaf; /* is asked about peers, and listens to nothing else */
	bool refuse_peer;
	const char *free_at;	/* frees the monitor when told this word */
	const char *observe_at; /* asks for facts when told this word */

	/* what it was told: "connecting watching facts event:STOP " */
	struct strbuf told;
	struct err why;
	enum share share; /* how it is shared, and how often that was told */
	struct err share_why;
	unsigned int shares;
	struct ucred peer;
	unsigned int peers;
	unsigned long events;
	bool quiet_events; /* those of no kind are only counted */

	/* the last facts, owned */
	bool running;
	unsigned int n_vcpus;
	unsigned int vcpus_max;
	unsigned int n_iothreads;
	pid_t tids[8];
	char status[24];
	char name[QMP_NAME_MAX];
};

/** A folder of its own, the path of a socket in it, quick time-outs; nothing runs. */
void watch_init(struct watch *w);
void watch_fini(struct watch *w);

/** Make the monitor by w->options and start it. */
void watch_start(struct watch *w);

/** Run the loop until @text has been told; fails the test after @limit_ms. Returns the
 * milliseconds it took. */
unsigned int watch_until(struct watch *w, const char *text, unsigned int limit_ms);

/** Run the loop until it is shared so. Returns as above. */
unsigned int watch_until_share(
	struct watch *w, enum share share, unsigned int limit_ms);

/** Run the loop until @text comes from @fd. Returns as above. */
unsigned int watch_until_heard(
	struct watch *w, int fd, const char *text, unsigned int limit_ms);

/** Run the loop until there were @n attempts that reached a peer. Returns as above. */
unsigned int watch_until_peers(struct watch *w, unsigned int n, unsigned int limit_ms);

/** Run the loop for @ms: to see that nothing happens. */
void watch_for(struct watch *w, unsigned int ms);

/** Forget what was told, and the peer. */
void watch_forget(struct watch *w);

/** Memory of this process in KiB: "VmRSS", or "VmHWM" (the most there ever was). */
unsigned long memory_kib(const char *what);

/** How many descriptors this process has open. */
unsigned int open_fds(void);

#endif
