// SPDX-License-Identifier: MIT
/* Names of modes and policies. Pure. */
#include "config.h"

#include "place/mode.h"

#include <assert.h>
#include <stddef.h>

#include "base/str.h"

static const char *const mode_names[PLACE_N_MODES] = {
	[PLACE_OFF] = "off",
	[PLACE_OBSERVE] = "observe",
	[PLACE_AUTO] = "auto",
	[PLACE_FLOAT] = "float",
	[PLACE_CORE] = "core",
	[PLACE_PIN] = "pin",
	[PLACE_DEDICATED] = "dedicated",
};

static const char *const smt_names[PLACE_N_SMT] = {
	[PLACE_SMT_SHARE] = "share",
	[PLACE_SMT_AVOID] = "avoid",
	[PLACE_SMT_ISOLATE] = "isolate",
};

static const char *const emulator_names[PLACE_N_EMULATOR] = {
	[PLACE_EMULATOR_FLOAT] = "float",
	[PLACE_EMULATOR_FOLLOW] = "follow",
	[PLACE_EMULATOR_ISOLATE] = "isolate",
};

static int
find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_equal(names[i], name))
			return (int)i;
	}
	return -1;
}

const char *
place_mode_name(enum place_mode mode)
{
	assert((unsigned int)mode < PLACE_N_MODES);
	return mode_names[mode];
}

const char *
place_smt_name(enum place_smt smt)
{
	assert((unsigned int)smt < PLACE_N_SMT);
	return smt_names[smt];
}

const char *
place_emulator_name(enum place_emulator emulator)
{
	assert((unsigned int)emulator < PLACE_N_EMULATOR);
	return emulator_names[emulator];
}

int
place_mode_parse(const char *name)
{
	return find(mode_names, PLACE_N_MODES, name);
}

int
place_smt_parse(const char *name)
{
	return find(smt_names, PLACE_N_SMT, name);
}

int
place_emulator_parse(const char *name)
{
	return find(emulator_names, PLACE_N_EMULATOR, name);
}
