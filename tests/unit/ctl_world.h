// SPDX-License-Identifier: MIT
/*
 * A control server for tests, in the test's own event loop, with VMs made up from their
 * number; and raw clients that wait by running that loop.
 */
#ifndef QMPIN_TESTS_CTL_WORLD_H
#define QMPIN_TESTS_CTL_WORLD_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/server.h"

/* Longer than anything takes, so that a test that hangs fails. */
#define CTL_WORLD_PATIENCE_MS 20000u

struct ctl_world {
	char dir[256];
	int dirfd;
	struct event_base *base;
	struct ctl_server *server;
	unsigned int n_vms;	  /* ids 100, 101, ... listed downwards */
	unsigned int n_threads;	  /* of each, when they are asked for */
	const char *state;	  /* of all VMs */
	unsigned int n_held_fast; /* so many of them, from 100 on, are not released */
	bool hostile;		  /* names full of control characters */
	/* A host of so many packages of 2 nodes of 4 CPUs: its latencies by class, and
	 * trusted; 0: damaged ones */
	unsigned int n_packages;
	unsigned int n_steps;	  /* of progress in answer to Probe */
	bool endless;		  /* Probe and Monitor are held after their replies */
	unsigned int n_decisions; /* in answer to Monitor; 0: it is held */
	char *wish; /* the last Probe's, SetMode's or Monitor's parameters, owned */
	unsigned int n_calls;	    /* handled so far */
	struct ctl_peer peer;	    /* of the last GetStatus */
	struct ctl_call *held[300]; /* Monitor calls, answered by the test */
	size_t n_held;
};

/* What it answers; the owner is the world. */
#define CTL_WORLD_METHODS 12u
extern const struct ctl_method ctl_world_methods[CTL_WORLD_METHODS];

#define CTL_WORLD_STATUS "{\"method\":\"io.qmpin.GetStatus\"}"
#define CTL_WORLD_MONITOR "{\"method\":\"io.qmpin.Monitor\",\"more\":true}"

/* Limits that a test does not reach. */
extern const struct ctl_limits ctl_world_patient;

/** ctl_world_up and ctl_world_down of one on the heap. */
struct ctl_world *ctl_world_new(const struct ctl_limits *limits);
void ctl_world_free(struct ctl_world *w);

/** cmocka's setup and teardown; *state is a world with the default limits. */
int ctl_world_setup(void **state);
int ctl_world_teardown(void **state);

/** A fresh directory and a server in it; @limits NULL: the defaults. */
void ctl_world_up(struct ctl_world *w, const struct ctl_limits *limits);

/** In a directory of one's own making; as ctl_server_new. */
int ctl_world_serve(struct ctl_world *w, const char *group,
	const struct ctl_limits *limits, struct err *e);

/** End the server, remove the directory. */
void ctl_world_down(struct ctl_world *w);

/** Run the loop once, at most 10 ms. */
void ctl_world_step(struct ctl_world *w);

/** Run the loop until nothing is to be done at once. */
void ctl_world_settle(struct ctl_world *w);

/** A new client is served: whatever the test did has disturbed nobody. */
void ctl_world_expect_served(struct ctl_world *w);

/** The first held call is still waited for on @fd: answer it, read that, close. */
void ctl_world_answer_held(struct ctl_world *w, int fd);

/** Connected, non-blocking; the server has accepted it. */
int ctl_world_dial(struct ctl_world *w, const char *socket);

/** Send all, while the loop runs. false: the server has closed. */
bool ctl_world_send(struct ctl_world *w, int fd, const char *bytes, size_t len);

/** Send @request (JSON text) and its NUL. */
void ctl_world_ask(struct ctl_world *w, int fd, const char *request);

/** The next reply, new reference; NULL: the server has closed. */
json_t *ctl_world_read(struct ctl_world *w, int fd);

/** Run the loop until the server has closed this client; returns the replies that came
 * before. */
unsigned int ctl_world_drain(struct ctl_world *w, int fd);

#endif
