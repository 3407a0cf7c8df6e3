// SPDX-License-Identifier: MIT
/*
 * What a test and the preloaded shim share: a mapped file with the sites that were seen
 * and the one rule that is in force. tests/faults/faults.py reads and writes it with
 * the same layout.
 */
#ifndef QMPIN_FAULTS_SHIM_H
#define QMPIN_FAULTS_SHIM_H

#include <stdint.h>

#define SHIM_NAME 24
#define SHIM_FRAMES 3
#define SHIM_SITES 8192u

/* Who called: the process that was started, or one that it forked. */
enum shim_role { SHIM_MAIN, SHIM_CHILD };

/* A libc function called from one place of the program: the innermost return addresses
 * that lie in it, as offsets, 0 where there are no more. */
struct shim_site {
	uint64_t key; /* 0: free */
	uint64_t calls;
	uint64_t frames[SHIM_FRAMES];
	uint32_t role;
	uint32_t foreign; /* called by a library that the program called */
	char name[SHIM_NAME];
};

struct shim_rule {
	uint32_t armed; /* written last, cleared first */
	int32_t error;	/* errno; 0: no failure */
	uint64_t key;	/* of a site; 0: each site with the name */
	char name[SHIM_NAME];
	uint32_t role;	/* with key 0: shim_role */
	uint32_t skip;	/* calls that go well first */
	uint32_t times; /* calls that fail then */
	uint32_t pct;	/* share of those */
	uint32_t seed;
	uint32_t cut;  /* bytes: reading and writing go on, but with so few; 0: all */
	uint32_t seen; /* calls that the rule is about */
	uint32_t hits; /* those that failed or were cut */
};

struct shim_page {
	struct shim_rule rule;
	int64_t realtime_ns; /* CLOCK_REALTIME is so much later */
	uint32_t full;	     /* sites that found no room */
	uint32_t main_pid;
	struct shim_site sites[SHIM_SITES];
};

#endif
