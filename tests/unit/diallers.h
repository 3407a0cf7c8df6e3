// SPDX-License-Identifier: MIT
/* A reception in a folder of its own, with an owner who counts, and those who dial. */
#ifndef QMPIN_TESTS_DIALLERS_H
#define QMPIN_TESTS_DIALLERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "qmp/reception.h"

#define SOON_MS 20000u

struct fixture {
	struct event_base *base;
	struct reception *reception;
	char dir[64];
	char path[128];
	bool take;	    /* what on_dial_in answers */
	bool free_at_dial;  /* frees the reception inside */
	bool free_at_leave; /* frees it inside on_stranger */
	unsigned int dialled;
	unsigned int strangers;
	struct ucred dialler;
	struct ucred stranger;
	int taken; /* the last descriptor taken over, -1 */
};

extern const struct reception_handlers handlers;

uint64_t now_ms(void);

/** Open one in the folder, as the fixture's. Fails the test if that fails. */
void open_reception(struct fixture *f);

int setup(void **state);
int teardown(void **state);

unsigned int count_fds(void);

/** Connect, blockingly; a descriptor or a negative errno. */
int connect_to(const char *path);

/** Run the loop until *@number is @wanted or the time is over, which fails the test;
 * the milliseconds it took. NULL: for that long. */
unsigned int run_until(struct fixture *f, const unsigned int *number,
	unsigned int wanted, unsigned int limit_ms);

/** A child that connects @n times as @uid and says a greeting on each, then waits to be
 * killed. @worst: wait for it; 0 or what went wrong. */
pid_t start_dialler(const struct fixture *f, unsigned int n, uid_t uid, int *worst);

/** Kill and wait. */
void end(pid_t pid);

#endif
