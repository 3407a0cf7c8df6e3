// SPDX-License-Identifier: MIT
/*
 * A monitor socket as QEMU's: one client at a time, others wait in the listen backlog;
 * greeting, negotiation, commands in any number of pieces. What the answers are is the
 * owner's.
 */
#ifndef QMPIN_TESTS_FLEET_MONITOR_H
#define QMPIN_TESTS_FLEET_MONITOR_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

#include "base/str.h"

struct monitor_server {
	int listener;
	int client; /* -1: none; only then is the listener looked at */
	bool agreed;
	struct strbuf in;
	struct strbuf out;
	/* New reference to what a command returns; NULL: there is no such command. */
	json_t *(*answer)(void *owner, const char *command);
	void *owner;
};

/** Listen on @path; what is there is replaced, as QEMU does. Returns 0 or an errno. */
int monitor_server_init(struct monitor_server *m, const char *path,
	json_t *(*answer)(void *owner, const char *command), void *owner);

/** What to wait for, and what to do when it has come. */
struct pollfd monitor_server_wants(const struct monitor_server *m);
void monitor_server_serve(struct monitor_server *m, short revents);

/** There is nobody to tell, or he does not read. */
bool monitor_server_is_behind(const struct monitor_server *m);

/** Tell the client, if there is one; @data is taken over, NULL: none. */
void monitor_server_event(struct monitor_server *m, const char *name, json_t *data);

#endif
