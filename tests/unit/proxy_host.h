// SPDX-License-Identifier: MIT
/* A proxy in a child process, so that a test can be its clients and block, and clients
 * that do: each call fails the test when nothing comes for 30 s. */
#ifndef QMPIN_TESTS_PROXY_HOST_H
#define QMPIN_TESTS_PROXY_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"
#include "qmp/proxy.h"

struct proxy_host {
	pid_t pid;
	int wire; /* what it was told comes in, one word a line; orders go out */
	struct strbuf told;
};

/** Start it on @upstream, which is closed here, and @listener. Zero: the default. */
void proxy_host_start(struct proxy_host *h, int upstream, int listener,
	unsigned int clients_max, unsigned int slow_ms);

/** Read what is told until @text has been; forgets it and what came before. */
void proxy_host_until(struct proxy_host *h, const char *text);

/** How often @text has been told until now; forgets nothing. */
unsigned int proxy_host_count(struct proxy_host *h, const char *text);

/** Order: 'f'inish. */
void proxy_host_order(struct proxy_host *h, char order);

/** Its memory in KiB ("VmRSS", "VmHWM"), and its open descriptors. */
unsigned long proxy_host_kib(const struct proxy_host *h, const char *what);
unsigned int proxy_host_fds(const struct proxy_host *h);

void proxy_host_stop(struct proxy_host *h);

/** A listening unix socket, as QEMU makes it. */
int host_listen(const char *path);

/** Connect; waits while the queue is full. */
int host_connect(const char *path);

/** Write all; @pass goes with it (-1: none). Returns -1 when nobody listens. */
int host_say(int fd, const char *text, int pass);

/** Read one line (up to CR LF, which must be there) into @line: fresh each time. False
 * at the end. */
bool host_hear(int fd, struct strbuf *line);

/** Read lines until one that has @text, which is left in @line. */
void host_until(int fd, const char *text, struct strbuf *line);

/** Connect and negotiate. */
int host_open(const char *path);

/** Say and hear the reply; events are skipped. */
void host_ask(int fd, const char *command, struct strbuf *reply);

#endif
