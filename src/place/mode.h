// SPDX-License-Identifier: MIT
/*
 * The words of placement that users write and read: modes and policies. Pure.
 */
#ifndef QMPIN_PLACE_MODE_H
#define QMPIN_PLACE_MODE_H

enum place_mode {
	PLACE_OFF,
	PLACE_OBSERVE, /* plan and report, never apply */
	PLACE_AUTO,
	PLACE_FLOAT, /* vCPUs share whole latency domains */
	PLACE_CORE,
	PLACE_PIN, /* one vCPU, one PU */
	PLACE_DEDICATED,
	PLACE_N_MODES
};

enum place_smt { PLACE_SMT_SHARE, PLACE_SMT_AVOID, PLACE_SMT_ISOLATE, PLACE_N_SMT };

enum place_emulator {
	PLACE_EMULATOR_FLOAT,	/* the domain without the vCPUs' own CPUs if a core
				   remains */
	PLACE_EMULATOR_FOLLOW,	/* exactly the union of the vCPUs */
	PLACE_EMULATOR_ISOLATE, /* reserved CPUs, else one core outside */
	PLACE_N_EMULATOR
};

const char *place_mode_name(enum place_mode mode);
const char *place_smt_name(enum place_smt smt);
const char *place_emulator_name(enum place_emulator emulator);

/** The value with that name (lower case, as the *_name functions write it), or -1. */
int place_mode_parse(const char *name);
int place_smt_parse(const char *name);
int place_emulator_parse(const char *name);

#endif
