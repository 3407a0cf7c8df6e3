// SPDX-License-Identifier: MIT
/*
 * What a VM says about itself by its tags and by a line of its description, and what of
 * that counts: anybody who may edit a VM's options may write it, so it may only do what
 * the administrator allows. Pure.
 *
 *     tags: qmpin | qmpin-off | qmpin-MODE
 *     description: qmpin: on|off|MODE [emulator=...] [smt=...]
 */
#ifndef QMPIN_PVE_OPTIN_H
#define QMPIN_PVE_OPTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "place/mode.h"
#include "pve/vmconf.h"

#define OPTIN_REFUSED_MAX 160u

enum optin_trust {
	OPTIN_TRUST_OPT, /* on, off and observe, and no policies */
	OPTIN_TRUST_FULL,
	OPTIN_TRUST_IGNORE,
};

/* What the administrator allows: a mode by tag needs trust and a registered tag.
 * Borrowed for the call. */
struct optin_rules {
	enum optin_trust trust;
	bool allow_dedicated;
	bool unregistered_tags; /* a mode by any tag */
	size_t n_registered;
	char *const *registered; /* tags of datacenter.cfg's registered-tags */
};

enum optin_by { OPTIN_BY_NOBODY, OPTIN_BY_TAG, OPTIN_BY_DESCRIPTION };

struct optin {
	enum optin_by by; /* the stronger one that counts: the description */
	bool on;	  /* it wants to be managed: meets select = tagged */
	bool has_mode;	  /* false: "on", whatever the configuration's mode is */
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
	/* "pin refused: description may not set modes", safe to print; "": nothing was
	 * refused. */
	char refused[OPTIN_REFUSED_MAX];
};

/**
 * What counts of what @conf says. Of several tags the most careful one does: off,
 * observe, float, auto (which may narrow), core, pin, dedicated, and last the bare
 * "qmpin", which leaves the mode to others. What is refused leaves the rest its say.
 */
void optin_judge(
	const struct vmconf *conf, const struct optin_rules *rules, struct optin *out);

/**
 * What of an earlier judgement counts by other rules. Its tags were registered then,
 * whatever @rules has of them.
 */
void optin_judge_kept(
	const struct optin *kept, const struct optin_rules *rules, struct optin *out);

/**
 * registered-tags of a datacenter.cfg, lower case. Unreadable text has none.
 *
 * @out  array of *@n strings; free each and the array
 */
void optin_registered(const char *text, size_t len, char ***out, size_t *n);

#endif
