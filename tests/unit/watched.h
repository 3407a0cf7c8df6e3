// SPDX-License-Identifier: MIT
/*
 * A discovery and its owner, over a real directory and a real inotify watch, for tests.
 * What the owner is told is kept as a log and compared with what must have been told.
 */
#ifndef QMPIN_TESTS_WATCHED_H
#define QMPIN_TESTS_WATCHED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"
#include "vm/discovery.h"

struct event_base;

struct watched {
	char *top;
	char *dir; /* below top; watched; not made by watched_set_up */
	struct event_base *base;
	struct discovery *d;
	struct strbuf log; /* found "+103 ", found fresh "*103 ", lost "-103 ", "! " */
	unsigned int n_found;
	unsigned int n_lost;
	unsigned int n_trouble;
	char trouble[512];
	const char *free_on; /* the log's word at which the owner frees the object */
	const char *drop_on; /* the word at which it unlinks 104.qmp and rescans */
};

int watched_set_up(void **state);
int watched_tear_down(void **state);

extern const struct discovery_handlers watched_handlers;

/** Run the loop until the log is @want. What was told too much shows at the end. */
void watched_expect(struct watched *w, const char *want);

/** The log is @want already, without waiting for anything: what is due is dispatched
 * when @dispatch. */
void watched_expect_now(struct watched *w, bool dispatch, const char *want);

void watched_make_dir(const struct watched *w);
void watched_bind(const struct watched *w, const char *name);

/** The file alone, of a socket (S_IFSOCK) or not. */
void watched_node(const struct watched *w, const char *name, mode_t type);

void watched_move(const struct watched *w, const char *from, const char *to);
void watched_drop(const struct watched *w, const char *name);

#endif
