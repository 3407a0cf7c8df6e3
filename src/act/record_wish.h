// SPDX-License-Identifier: MIT
/*
 * What a VM said about itself, as its record keeps it: see record.h.
 */
#ifndef QMPIN_ACT_RECORD_WISH_H
#define QMPIN_ACT_RECORD_WISH_H

#include <stdbool.h>

#include "place/mode.h"
#include "topo/cpuset.h"

/* Whose word a wish is. */
enum record_by { RECORD_BY_NOBODY, RECORD_BY_TAG, RECORD_BY_DESCRIPTION };

/* What the VM's configuration said last, as far as it counted. Zeroed it was not read.
 */
struct record_wish {
	bool known;
	enum record_by by;
	bool has_mode; /* false: none or "on", whatever the configuration's mode is */
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
	bool pinning; /* another program is told to pin it */
	bool has_affinity;
	struct cpuset affinity;
};

/** Same wishes, as they are written. */
bool record_wish_equal(const struct record_wish *a, const struct record_wish *b);

#endif
