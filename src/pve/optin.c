// SPDX-License-Identifier: MIT
/*
 * Tags and a line of the description, held against what the administrator allows. The
 * first refusal is told, the description's before the tags'.
 */
#include "config.h"

#include "pve/optin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pve/pvetext.h"

#define TAG "qmpin"
#define LINE "qmpin:"
#define BLANKS " \t\r\f\v"
#define REGISTERED_MAX 1024u

/* Room for a word that is quoted, and for it once it is safe to print. */
#define WORD_MAX 40u
#define WORD_TEXT_MAX 64u

/* What one tag or the line says, before anybody has allowed it. */
struct wish {
	bool has_mode; /* false: "on" */
	enum place_mode mode;
	bool has_smt;
	enum place_smt smt;
	bool has_emulator;
	enum place_emulator emulator;
};

/* ---- refusals ---- */

static void refuse(struct optin *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The first one stays. */
static void
refuse(struct optin *out, const char *fmt, ...)
{
	va_list ap;

	if (out->refused[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(out->refused, sizeof(out->refused), fmt, ap);
	va_end(ap);
}

static const char *
safe_word(struct pvetext word, char buf[WORD_TEXT_MAX])
{
	return str_escape(word.s, word.len, buf, WORD_TEXT_MAX);
}

/* ---- what is allowed ---- */

/* Everybody may be left alone, and be looked at. */
static bool
is_harmless(const struct wish *w)
{
	if (w->has_mode && w->mode == PLACE_OFF)
		return true;
	return (!w->has_mode || w->mode == PLACE_OBSERVE) && !w->has_smt &&
	       !w->has_emulator;
}

static bool
is_registered(const struct optin_rules *rules, const char *tag)
{
	if (rules->unregistered_tags)
		return true;
	for (size_t i = 0; i < rules->n_registered; i++) {
		if (str_equal(rules->registered[i], tag))
			return true;
	}
	return false;
}

/* What is refused: "pin", or the first key where it is not the mode. */
static const char *
wish_name(const struct wish *w)
{
	if (w->has_mode && w->mode != PLACE_OBSERVE)
		return place_mode_name(w->mode);
	return w->has_smt ? "smt" : "emulator";
}

/* @tag: NULL for the description. */
static bool
allow(const struct wish *w, const char *tag, const struct optin_rules *rules,
	struct optin *out)
{
	const char *name;

	if (is_harmless(w))
		return true;
	name = wish_name(w);
	if (rules->trust != OPTIN_TRUST_FULL)
		refuse(out, "%s refused: %s may not set %s", name,
			tag != NULL ? "tags" : "description",
			w->has_mode && w->mode != PLACE_OBSERVE ? "modes" : "policies");
	else if (w->has_mode && w->mode == PLACE_DEDICATED && !rules->allow_dedicated)
		refuse(out, "dedicated refused: allow_dedicated is not set");
	else if (tag != NULL && !is_registered(rules, tag))
		refuse(out, "%s refused: tag %s is not registered", name, tag);
	else
		return true;
	return false;
}

/* ---- description ---- */

/* The first line that is for us, behind its "qmpin:". */
static bool
find_line(const char *description, struct pvetext *out)
{
	struct pvetext rest = {description, strlen(description)};
	struct pvetext line;
	size_t len = strlen(LINE);

	while (pvetext_line(&rest, &line)) {
		line = pvetext_trim(line);
		if (line.len >= len && memcmp(line.s, LINE, len) == 0) {
			*out = (struct pvetext){line.s + len, line.len - len};
			return true;
		}
	}
	return false;
}

static bool
next_word(struct pvetext *rest, struct pvetext *word)
{
	while (pvetext_item(rest, BLANKS, word)) {
		if (word->len > 0)
			return true;
	}
	return false;
}

/* place_*_parse of a span, -1 for none. */
static int
parse_name(struct pvetext t, int (*parse)(const char *name))
{
	char name[WORD_MAX];

	if (t.len >= sizeof(name) || memchr(t.s, '\0', t.len) != NULL)
		return -1;
	memcpy(name, t.s, t.len);
	name[t.len] = '\0';
	return parse(name);
}

/* on, off or a mode. */
static bool
read_mode(struct pvetext word, struct wish *w)
{
	int mode = parse_name(word, place_mode_parse);

	if (pvetext_is(word, "on"))
		return true;
	if (mode < 0)
		return false;
	w->has_mode = true;
	w->mode = (enum place_mode)mode;
	return true;
}

/* "smt=avoid", each key once. */
static bool
read_policy(struct pvetext word, struct wish *w)
{
	struct pvetext key = word;
	struct pvetext value = word;
	int n;

	(void)pvetext_item(&value, "=", &key);
	if (pvetext_is(key, "smt") && !w->has_smt) {
		n = parse_name(value, place_smt_parse);
		w->has_smt = n >= 0;
		w->smt = (enum place_smt)(n >= 0 ? n : 0);
	} else if (pvetext_is(key, "emulator") && !w->has_emulator) {
		n = parse_name(value, place_emulator_parse);
		w->has_emulator = n >= 0;
		w->emulator = (enum place_emulator)(n >= 0 ? n : 0);
	} else {
		return false;
	}
	return n >= 0;
}

static bool
read_line(struct pvetext line, struct wish *w, struct optin *out)
{
	char safe[WORD_TEXT_MAX];
	struct pvetext word;

	if (!next_word(&line, &word)) {
		refuse(out, "description refused: nothing behind " LINE);
		return false;
	}
	if (!read_mode(word, w)) {
		refuse(out, "description refused: unknown word \"%s\"",
			safe_word(word, safe));
		return false;
	}
	while (next_word(&line, &word)) {
		if (!read_policy(word, w)) {
			refuse(out, "description refused: unknown or repeated \"%s\"",
				safe_word(word, safe));
			return false;
		}
	}
	return true;
}

/* ---- tags ---- */

/* The place in the order of care, the most careful first. */
static unsigned int
care(const struct wish *w)
{
	static const unsigned int places[PLACE_N_MODES] = {
		[PLACE_OFF] = 0,
		[PLACE_OBSERVE] = 1,
		[PLACE_FLOAT] = 2,
		[PLACE_AUTO] = 3,
		[PLACE_CORE] = 4,
		[PLACE_PIN] = 5,
		[PLACE_DEDICATED] = 6,
	};

	return w->has_mode ? places[w->mode] : PLACE_N_MODES;
}

/* false: it says nothing to us, or what nobody understands. */
static bool
read_tag(const char *tag, struct wish *w, struct optin *out)
{
	const char *name = tag + strlen(TAG);
	char safe[WORD_TEXT_MAX];
	int mode;

	if (!str_has_prefix(tag, TAG))
		return false;
	if (*name == '\0')
		return true;
	if (*name != '-')
		return false; /* "qmpinned" is somebody else's */
	mode = place_mode_parse(name + 1);
	if (mode < 0) {
		refuse(out, "tag %s refused: no such mode",
			safe_word((struct pvetext){tag, strlen(tag)}, safe));
		return false;
	}
	w->has_mode = true;
	w->mode = (enum place_mode)mode;
	return true;
}

static bool
judge_tags(const struct vmconf *conf, const struct optin_rules *rules,
	struct wish *best, struct optin *out)
{
	bool found = false;

	for (size_t i = 0; i < conf->n_tags; i++) {
		struct wish w = {0};

		if (!read_tag(conf->tags[i], &w, out) ||
			!allow(&w, conf->tags[i], rules, out))
			continue;
		if (!found || care(&w) < care(best))
			*best = w;
		found = true;
	}
	return found;
}

/* ---- both ---- */

static void
adopt(const struct wish *w, enum optin_by by, struct optin *out)
{
	bool off = w->has_mode && w->mode == PLACE_OFF;

	out->by = by;
	out->on = !off;
	out->has_mode = w->has_mode;
	out->mode = w->mode;
	out->has_smt = w->has_smt && !off;
	out->smt = w->smt;
	out->has_emulator = w->has_emulator && !off;
	out->emulator = w->emulator;
}

void
optin_judge(
	const struct vmconf *conf, const struct optin_rules *rules, struct optin *out)
{
	struct wish tag = {0};
	struct wish said = {0};
	struct pvetext line;

	*out = (struct optin){.by = OPTIN_BY_NOBODY};
	if (rules->trust == OPTIN_TRUST_IGNORE)
		return;
	if (conf->description != NULL && find_line(conf->description, &line) &&
		read_line(line, &said, out) && allow(&said, NULL, rules, out))
		adopt(&said, OPTIN_BY_DESCRIPTION, out);
	else if (judge_tags(conf, rules, &tag, out))
		adopt(&tag, OPTIN_BY_TAG, out);
}

void
optin_judge_kept(
	const struct optin *kept, const struct optin_rules *rules, struct optin *out)
{
	const struct wish w = {
		.has_mode = kept->has_mode,
		.mode = kept->mode,
		.has_smt = kept->has_smt,
		.smt = kept->smt,
		.has_emulator = kept->has_emulator,
		.emulator = kept->emulator,
	};
	struct optin_rules known = *rules;

	known.unregistered_tags = true;
	*out = (struct optin){.by = OPTIN_BY_NOBODY};
	if (kept->by != OPTIN_BY_NOBODY && rules->trust != OPTIN_TRUST_IGNORE &&
		allow(&w, kept->by == OPTIN_BY_TAG ? TAG : NULL, &known, out))
		adopt(&w, kept->by, out);
}

void
optin_registered(const char *text, size_t len, char ***out, size_t *n)
{
	struct pvetext rest = {text, len};
	struct pvetext line;
	struct pvetext key;
	struct pvetext value;
	struct pvetext tags = {"", 0};
	size_t n_bad;

	while (pvetext_line(&rest, &line)) {
		if (pvetext_split(pvetext_trim(line), &key, &value) &&
			pvetext_is(key, "registered-tags"))
			tags = value; /* the last one counts */
	}
	pvetext_tags(tags, REGISTERED_MAX, out, n, &n_bad);
}
