// SPDX-License-Identifier: MIT
/* Plans of a fleet with reasons, for tests of these. */
#ifndef QMPIN_TESTS_ASKED_H
#define QMPIN_TESTS_ASKED_H

#include "fleet.h"
#include "place/explain.h"

#define BIT(x) (1u << EXPLAIN_##x)

struct asked {
	struct plan_vm *vms;
	struct plan_input in;
	struct plan *plan;
};

/** Plan without a change to the fleet; @id as plan_input.explain_id. asked_fini it. */
struct asked asked_of(const struct fleet *f, enum plan_explain_of of, const char *id);
void asked_fini(struct asked *a);

/** What must be true of the reasons of each VM that has a place. */
void asked_expect_sane(const struct asked *a, unsigned int vm);

#endif
