// SPDX-License-Identifier: MIT
/*
 * What QMP says of a VM, decoded from the replies of the queries into plain data. Pure.
 * Nothing here is proven: thread ids still have to be checked against /proc.
 *
 * Source: QEMU's qapi/machine.json, qapi/misc.json, qapi/run-state.json, 7.2 to 11.1.
 */
#ifndef QMPIN_QMP_FACTS_H
#define QMPIN_QMP_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "qmp/memdevs.h"

#define QMP_VCPUS_MAX 4096u
#define QMP_IOTHREADS_MAX 1024u
#define QMP_NAME_MAX 65u

/* props members are -1 when QEMU does not give them. */
struct qmp_vcpu {
	unsigned int index; /* cpu-index; has gaps after unplug */
	pid_t tid;
	int node;
	int socket;
	int core;
	int thread;
};

struct qmp_iothread {
	char id[QMP_NAME_MAX];
	pid_t tid;
};

/* 0.0: not told. */
struct qmp_version {
	unsigned int major;
	unsigned int minor;
};

struct qmp_facts {
	struct qmp_version version; /* of QEMU, as it greets */
	bool running;
	char status[24];	 /* "running", "paused", "inmigrate", ... */
	char name[QMP_NAME_MAX]; /* query-name; "" when it has none; UTF-8, any
				  * characters: whoever shows it makes it harmless */
	unsigned int n_vcpus;
	struct qmp_vcpu *vcpus; /* ascending index */
	unsigned int vcpus_max; /* query-hotpluggable-cpus: plugged and possible;
				 * n_vcpus where the machine cannot say */
	unsigned int n_iothreads;
	struct qmp_iothread *iothreads; /* in the order of the reply */
	struct memdevs memory;
};

/**
 * Decode one "return" value into @facts (other members untouched). On failure @facts is
 * as before.
 *
 * Return 0, -EINVAL (missing or wrong member), -ERANGE (number out of range), -E2BIG
 * (more items than the caps); @e names the member and item.
 */
MUST_CHECK int qmp_facts_status(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_cpus(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_hotpluggable(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_iothreads(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_name(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_memdevs(
	struct qmp_facts *facts, const json_t *ret, struct err *e);
MUST_CHECK int qmp_facts_dimms(
	struct qmp_facts *facts, const json_t *ret, struct err *e);

/** Free what the facts own; zero them. */
void qmp_facts_fini(struct qmp_facts *facts);

#endif
