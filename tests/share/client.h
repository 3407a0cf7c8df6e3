// SPDX-License-Identifier: MIT
/*
 * One connection to a VM's monitor, made and used as Proxmox's tools do it: connect,
 * try again while the queue is full, send without waiting for the greeting, one command
 * at a time, replies told by their id. Whatever those tools would die of is a failure.
 */
#ifndef QMPIN_TESTS_SHARE_CLIENT_H
#define QMPIN_TESTS_SHARE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

/* Proxmox waits so long before it knocks again. */
#define CLIENT_RETRY_MS 100u

/* With which bytes of the command a descriptor travels. */
enum client_fd {
	CLIENT_FD_WITH,	 /* all of them, in one message: Proxmox's way */
	CLIENT_FD_FIRST, /* the first one */
	CLIENT_FD_LAST,	 /* the last one */
};

struct client {
	/* set by the owner */
	unsigned int timeout_ms; /* to connect, and again for each reply */
	unsigned int gone_ms;	 /* a VM that restarts may not listen for so long */
	enum client_fd order;
	/* what happened */
	unsigned int eagain; /* retries, added up */
	char why[96];	     /* of a failure */
	/* its own */
	int fd;
	unsigned int seq;
	struct strbuf in;
};

/** Microseconds that never step back, as other programs read them too. */
uint64_t client_now_us(void);

/** Connect and negotiate. Returns 0 or -1 with @why; client_close() in any case. */
MUST_CHECK int client_open(struct client *c, const char *path);

/**
 * Run a command and wait for the reply with its id.
 *
 * @arguments  reference taken over; may be NULL
 * @fd         passed along, -1: none
 * @ret        new reference to the return value, written only on success; may be NULL
 *
 * Returns 0 or -1 with @why.
 */
MUST_CHECK int client_run(
	struct client *c, const char *command, json_t *arguments, int fd, json_t **ret);

void client_close(struct client *c);

/** Somebody is being served at @path: a connected socket has its name. */
bool client_sees_other(const char *path);

#endif
