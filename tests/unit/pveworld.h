// SPDX-License-Identifier: MIT
/*
 * A directory in which there is etc/pve, the real qmpin-pve, a loop, and what was told
 * of it.
 */
#ifndef QMPIN_TESTS_PVEWORLD_H
#define QMPIN_TESTS_PVEWORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/pvewatch.h"

/* For what must happen; a loaded machine takes its time. */
#define PVEWORLD_LIMIT_S 60

/* What was told last of a VM, or a file of the cluster. */
struct pveworld_told {
	char name[32];
	char *text; /* NULL: it is not there */
	size_t len;
	unsigned int times;
	char unread[200]; /* "": it can be read */
};

struct pveworld {
	char *dir; /* etc/pve is below */
	struct event_base *base;
	struct pvewatch *watch;
	struct pveworld_told *told;
	size_t n_told, cap_told;
	unsigned int n_settled;
	unsigned int n_troubles;
	char trouble[512]; /* "": none */
	bool fragile;	   /* the first VM that is told frees the watch */
	uint64_t turn_us;  /* the longest turn of the loop */
	pid_t child;	   /* found by pveworld_child */
};

/* cmocka's. */
int pveworld_setup(void **state);
int pveworld_teardown(void **state);

/** @program NULL: the real one; @pace NULL: quick. */
void pveworld_start(
	struct pveworld *w, const char *program, const struct pvewatch_pace *pace);

/** Let the loop run until it is so; ends the test when it takes for ever. */
void pveworld_until(struct pveworld *w,
	bool (*is_so)(struct pveworld *w, const char *arg), const char *arg);

/** A file below etc/pve. */
void pveworld_write(struct pveworld *w, const char *name, const char *text);

/** NULL: nothing was told. */
const struct pveworld_told *pveworld_find(const struct pveworld *w, const char *name);

/** "NAME=TEXT"; "NAME" is not there. */
bool pveworld_says(struct pveworld *w, const char *arg);
bool pveworld_cannot_read(struct pveworld *w, const char *name);
/** A part of the trouble; NULL: none. */
bool pveworld_has_trouble(struct pveworld *w, const char *part);
bool pveworld_has_settled(struct pveworld *w, const char *times);
/** There is a child; w->child is its id. */
bool pveworld_has_child(struct pveworld *w, const char *unused);
bool pveworld_has_no_child(struct pveworld *w, const char *unused);

/** Let some looks pass in which nothing new is told: a change made after this call was
 * made between looks. */
void pveworld_pass_looks(struct pveworld *w);

#endif
