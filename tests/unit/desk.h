// SPDX-License-Identifier: MIT
/* A client of the control interface at a stage's daemon. */
#ifndef QMPIN_TESTS_DESK_H
#define QMPIN_TESTS_DESK_H

#include <jansson.h>

#include "ctl_world.h"
#include "stage.h"

struct desk {
	struct stage *stage;
	struct ctl_world world; /* the clients' side only */
	int client;		/* -1: none */
	const char *files;	/* the test's: what the next reload reads */
	bool afresh;		/* the test's: the last one is to measure, too */
};

/** cmocka's setup and teardown; *state is a desk, nothing runs yet. */
int desk_setup(void **state);
int desk_teardown(void **state);

/** The stage of a test's desk; skips the test on a machine of one CPU. */
struct stage *desk_stage(void **state);

/** Serve the stage's engine, with a client on @socket; and end that. */
void desk_open(struct desk *d, const char *socket);
void desk_close(struct desk *d);

/** A client that may only read, at a desk with VM 100 of two vCPUs and these settings;
 * VM 101 has not been proven yet. */
struct desk *desk_of_two(void **state, const char *settings);

/** A call and what follows from it. Returns its reply, new reference. */
json_t *desk_ask(struct desk *d, const char *method, const char *params);
/** Parameters of a good answer, as the interface declares them; new reference. */
json_t *desk_expect(struct desk *d, const char *method, const char *params);
/** The same of a call that was made before. */
json_t *desk_read(struct desk *d, const char *method);

#endif
