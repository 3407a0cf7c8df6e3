// SPDX-License-Identifier: MIT
/*
 * What the rivals of one run did, each in its part of shared memory, and all of it as
 * one JSON object.
 */
#ifndef QMPIN_TESTS_SHARE_TALLY_H
#define QMPIN_TESTS_SHARE_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Commands are counted beyond these, but not kept. */
#define TALLY_SAMPLES_MAX (1u << 19)
#define TALLY_FAILURES_MAX 4096u
#define TALLY_PLUGS_MAX 512u

/* A command, or one connection with several. */
struct tally_sample {
	uint64_t began_us;
	uint32_t took_us;
	uint16_t socket;
	uint8_t eagain; /* retries, at most 255 */
	bool held;	/* somebody was served when it came */
};

struct tally_failure {
	uint64_t began_us;
	uint64_t ended_us;
	unsigned int socket;
	char why[96];
};

struct tally_plug {
	uint64_t replied_us;
	uint64_t seen_us;   /* in another command's reply */
	uint64_t pinned_us; /* its mask has one CPU; 0: not looked at, or not in time */
	unsigned int socket;
	unsigned int index;
	unsigned int n_cpus; /* of its first mask that was seen */
	int tid;
};

struct tally_counts {
	uint64_t commands;
	uint64_t failed;
	uint64_t eagain; /* retries */
	uint64_t eagain_commands;
	uint64_t held;
};

/* Of one rival. */
struct tally {
	struct tally_counts counts;
	unsigned int n_samples;
	unsigned int n_failures;
	unsigned int n_plugs;
	struct tally_failure failures[TALLY_FAILURES_MAX];
	struct tally_plug plugs[TALLY_PLUGS_MAX];
	struct tally_sample samples[TALLY_SAMPLES_MAX];
};

/** Tallies of @n rivals, shared with children. NULL: no memory. */
struct tally *tally_new(unsigned int n);

void tally_add(struct tally *t, const struct tally_sample *s, const char *why);

/** All together; paths are the sockets' names. */
json_t *tally_report(const struct tally *t, unsigned int n, char **paths);

/** One line a command: began_us took_us socket eagain held. */
void tally_write(const struct tally *t, unsigned int n, FILE *f);

#endif
