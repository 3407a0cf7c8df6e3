// SPDX-License-Identifier: MIT
/*
 * A process that plays QEMU, badly where it is asked to. It is another process so that
 * its memory is not counted as ours and it can die.
 */
#ifndef QMPIN_TESTS_QMP_SERVER_H
#define QMPIN_TESTS_QMP_SERVER_H

#include <sys/types.h>

/* What it does with its listening socket; the process ends when it returns. */
typedef void server_part(int listener);

/** Listen on @path and play @part. Returns when it listens. */
pid_t server_start(const char *path, server_part *part);

/** Kill and wait. */
void server_stop(pid_t pid);

/** Accept until there is a client; the process ends when that fails. */
int server_accept(int listener);

/** Write all, or return -1 when the client is gone. */
int server_say(int fd, const char *text);

/** The name of the next command into @command and its id into @id; -1 at the end. */
int server_hear(int fd, char *command, char *id);

/** What a healthy VM returns for @command. */
const char *server_answer(const char *command);

/** Answer the first command, which is qmp_capabilities. */
void server_agree(int fd);

/** Greet, then answer as a healthy VM until the client leaves. The name of the VM is
 * "asked N": observations begun on this connection. */
void server_serve(int fd);

/** The same; the @nth observation is answered only after @ms. Returns 0, or -1 when the
 * client left before it had all answers. */
int server_serve_late(int fd, unsigned int nth, unsigned int ms);

#define SERVER_GREETING                                                    \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, " \
	"\"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"

#endif
