// SPDX-License-Identifier: MIT
/*
 * Measuring in the background, with the real child process but another program in it: a
 * script that says what the test wrote into a file, and keeps what it is told.
 */
#ifndef QMPIN_TESTS_PROBELAB_H
#define QMPIN_TESTS_PROBELAB_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/engine.h"
#include "daemon/probing.h"
#include "logcatch.h"
#include "topo/matrix.h"

#define PROBELAB_FINGERPRINT "0123456789abcdef"

struct probelab {
	char *dir;
	char *state_dir;
	struct event_base *base;
	struct engine *engine;
	struct probing *probing;
	struct logcatch log;
	bool foreign;
	/* a client of probing_ask */
	bool wanted;
	unsigned int n_progress;
	unsigned int visits; /* of the last one */
	unsigned int visits_total;
	unsigned int n_ends;
	char end[256];
};

/** A file in the lab, and what is in it: new text, "" when there is none. */
void probelab_write_file(
	const struct probelab *l, const char *name, const char *bytes, size_t len);
char *probelab_read_file(const struct probelab *l, const char *name);
/** How often the program was started. */
unsigned int probelab_n_started(const struct probelab *l);
/** The class model's values times @factor (0: all alike); with @swapped, CPUs of each
 * two L3 groups of a node are near each other crosswise. */
struct matrix *probelab_make_matrix(const struct topo *t, const struct cpuset *cpus,
	float factor, bool swapped, unsigned int visits);
/** As the program says it; @m is taken over. */
char *probelab_make_text(const struct probelab *l, struct matrix *m,
	const char *fingerprint, size_t *len);
/** What the next program says: some words, a result (NULL: none; taken over), some
 * words. Nothing is heard so far. */
void probelab_let_say(const struct probelab *l, const char *before, struct matrix *m,
	const char *after);
/** What the firmware of the host says, measured. */
struct matrix *probelab_good(const struct probelab *l);
/** The host without some CPUs. */
struct hostmodel probelab_make_host(const struct cpuset *offline);
/** cmocka's setup and teardown; *state is the lab. */
int probelab_set_up(void **state);
int probelab_tear_down(void **state);
/** As a daemon does; start_again is another one, which finds what is kept. */
void probelab_start(struct probelab *l);
void probelab_stop(struct probelab *l);
void probelab_start_again(struct probelab *l);
/** Run the loop until @holds; fails the test after some seconds. */
void probelab_until(struct probelab *l,
	bool (*holds)(struct probelab *l, const char *arg), const char *arg);
/** For probelab_until. */
bool probelab_is_said(struct probelab *l, const char *text);
bool probelab_is_state(struct probelab *l, const char *state);
bool probelab_is_saved(struct probelab *l, const char *arg);
/** The program has been told this. */
bool probelab_is_heard(struct probelab *l, const char *text);
bool probelab_has_started(struct probelab *l, const char *arg);
bool probelab_has_ended(struct probelab *l, const char *arg);
/** Fails unless it was said once. */
void probelab_check_said_once(const struct probelab *l, const char *text);

#endif
