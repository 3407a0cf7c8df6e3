// SPDX-License-Identifier: MIT
/*
 * A listening socket, a process behind it, and daemons (processes of their own) with a
 * guard: real sockets, real signals. Anything unexpected ends the test program.
 */
#ifndef QMPIN_TESTS_GUARD_WORLD_H
#define QMPIN_TESTS_GUARD_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs.h"
#include "qmp/guard.h"

/* For what must happen; a loaded machine takes its time. */
#define WORLD_LIMIT_MS 20000u

struct event_base;

struct world {
	char *folder;
	char *path;   /* what clients connect to */
	int listener; /* backlog 1, as QEMU's */
	struct procs_child process;
	int pidfd; /* of the process */
};

/* A process that runs a loop with a guard after it has done @begin. */
struct daemon {
	struct world *world;
	struct event_base *base;
	struct guard *guard;
	int said; /* pipe to the test; see daemon_say() */
	pid_t pid;
	int guard_pid;
	int guard_pidfd;
	int heard;
};

typedef void daemon_begin(struct daemon *d, void *arg);

void world_init(struct world *w);
void world_fini(struct world *w);

/** Connected, or ends the test. */
int world_connect(const struct world *w);

/** Who is first in the queue; ends the test when nobody is. */
int world_accept(const struct world *w);

/** A socket that is not connected yet. */
int world_socket(void);

/** connect(); returns 0 or a negative errno. */
int world_try_connect(const struct world *w, int fd);

/** The other side of @fd hangs up within @ms. */
bool world_is_ended(int fd, unsigned int ms);

/** Runs @begin in a daemon, and returns when that is done and its loop runs. */
void daemon_start(struct daemon *d, struct world *w, daemon_begin *begin, void *arg);

/** Stop it as SIGSTOP does, and wait until it is. */
void daemon_stop(const struct daemon *d);

/** The same for one that stops by itself. */
void daemon_await_stop(const struct daemon *d);

void daemon_kill(struct daemon *d);

/** A number from a daemon to the test, and its receipt there. */
void daemon_say(const struct daemon *d, int number);
int daemon_hear(const struct daemon *d);

/** In the daemon: hold a session by these terms, connected. Returns it. */
int daemon_hold(const struct daemon *d, uint64_t key, const struct guard_terms *terms);

/** Descriptors of a process. */
unsigned int count_fds_of(pid_t pid);

/** Waits until a guard has copies of @n descriptors besides its own. */
void wait_for_copies(pid_t guard, unsigned int n);

/** The process behind a pidfd has ended within WORLD_LIMIT_MS. */
bool has_ended(int pidfd);

/** A field of /proc/PID/@file that is a number: "Pss:", "voluntary_ctxt_switches:". */
unsigned long field_of(pid_t pid, const char *file, const char *field);

uint64_t now_us(void);

#endif
