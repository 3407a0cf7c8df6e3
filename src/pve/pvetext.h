// SPDX-License-Identifier: MIT
/*
 * The small pieces of Proxmox's files: lines, "key: value", property strings, lists.
 * Pieces are spans of the text: nothing is copied, and what is in them may be anything,
 * NUL bytes too. Pure.
 *
 * Source: PVE::QemuServer's reader and PVE::JSONSchema of Proxmox VE 9.
 */
#ifndef QMPIN_PVE_PVETEXT_H
#define QMPIN_PVE_PVETEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "topo/cpuset.h"

struct pvetext {
	const char *s;
	size_t len;
};

bool pvetext_is(struct pvetext t, const char *word);

/** Without white space at both ends. */
struct pvetext pvetext_trim(struct pvetext t);

/** A copy; NULL for what has a NUL byte in it or is longer than @max. */
char *pvetext_dup(struct pvetext t, size_t max);

/** Cut the next line, without its end, off @rest. false: there is none. */
bool pvetext_line(struct pvetext *rest, struct pvetext *line);

/** Cut the next item, with blanks at its ends, off @rest: up to one of @separators,
 * which is not NUL. false: there is none; a separator at the end begins none. */
bool pvetext_item(struct pvetext *rest, const char *separators, struct pvetext *item);

/** Split "key: value", which begins in the first column. The value is trimmed. */
bool pvetext_split(struct pvetext line, struct pvetext *key, struct pvetext *value);

/** A header of a section: nothing below it is of the main section. */
bool pvetext_is_section(struct pvetext line);

/**
 * The value of @key in a property string, "0-3,hostnodes=1": of @is_default what stands
 * alone too. Keys that are asked for by nobody count for nothing.
 *
 * Returns 0, -ENOENT or -EEXIST (twice); @out is written only on success.
 */
MUST_CHECK int pvetext_property(
	struct pvetext value, const char *key, bool is_default, struct pvetext *out);

/**
 * Values. @out is written only on success. Return 0, -EINVAL or -ERANGE (above @max).
 */
MUST_CHECK int pvetext_uint(struct pvetext t, uint64_t max, uint64_t *out);
/** Digits, perhaps with a fraction: "1.5". */
MUST_CHECK int pvetext_number(struct pvetext t, double max, double *out);
/** 1, on, yes, true and their contraries, in either case. */
MUST_CHECK int pvetext_bool(struct pvetext t, bool *out);

/**
 * A list of numbers and ranges between @separators: "0-3;8". What is at or above
 * CPUSET_CAP is there on no host and left out.
 *
 * @out  written only on success
 *
 * Returns 0, -EINVAL or -ERANGE (nothing is left).
 */
MUST_CHECK int pvetext_set(
	struct pvetext t, const char *separators, struct cpuset *out);

/**
 * Tags in a list between ';', ',' and white space, in lower case.
 *
 * @max  of more and of what is no tag @n_bad is the number
 * @out  array of *@n strings, NULL when there is none; free each and the array
 */
void pvetext_tags(struct pvetext t, size_t max, char ***out, size_t *n, size_t *n_bad);

#endif
