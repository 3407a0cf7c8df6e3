// SPDX-License-Identifier: MIT
/* What counts of what a VM says about itself. */
#include "config.h"

#include "pve/optin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"

static char tag_pin[] = "qmpin-pin";
static char tag_dedicated[] = "qmpin-dedicated";
static char *const registered[] = {tag_dedicated, tag_pin};

#define REGISTERED .n_registered = ARRAY_LEN(registered), .registered = registered

static const struct optin_rules opt = {.trust = OPTIN_TRUST_OPT, REGISTERED};
static const struct optin_rules ignore = {.trust = OPTIN_TRUST_IGNORE, REGISTERED};
static const struct optin_rules full = {.trust = OPTIN_TRUST_FULL, REGISTERED};
static const struct optin_rules open_tags = {
	.trust = OPTIN_TRUST_FULL, .unregistered_tags = true};
static const struct optin_rules all = {
	.trust = OPTIN_TRUST_FULL, .allow_dedicated = true, .unregistered_tags = true};

#define TAG_MODES "pin refused: tags may not set modes"
#define LINE_MODES "pin refused: description may not set modes"

/* @says: "nothing", or who, "on" or the mode, and policies. */
static const struct {
	const struct optin_rules *rules;
	const char *text;
	const char *says;
	const char *refused;
} cases[] = {
	/* Tags. */
	{&opt, "", "nothing", ""},
	{&opt, "tags: prod;qmpinned;xqmpin;qmpin.off\n", "nothing", ""},
	{&opt, "tags: qmpin\n", "tag on", ""},
	{&opt, "tags: QMPIN\n", "tag on", ""},
	{&opt, "tags: qmpin-off\n", "tag off", ""},
	{&opt, "tags: qmpin-observe\n", "tag observe", ""},
	{&opt, "tags: qmpin-pin\n", "nothing", TAG_MODES},
	{&opt, "tags: qmpin-auto\n", "nothing", "auto refused: tags may not set modes"},
	{&opt, "tags: qmpin-pin;qmpin\n", "tag on", TAG_MODES},
	{&opt, "tags: qmpin-pin;qmpin-off\n", "tag off", TAG_MODES},
	{&opt, "tags: qmpin-x;qmpin-pin\n", "nothing",
		"tag qmpin-x refused: no such mode"},
	{&opt, "tags: qmpin-on\n", "nothing", "tag qmpin-on refused: no such mode"},
	{&opt, "tags: qmpin-\n", "nothing", "tag qmpin- refused: no such mode"},
	/* A mode by tag. */
	{&full, "tags: qmpin-pin\n", "tag pin", ""},
	{&full, "tags: QMPIN-PIN\n", "tag pin", ""},
	{&full, "tags: qmpin-core\n", "nothing",
		"core refused: tag qmpin-core is not registered"},
	{&full, "tags: qmpin-core;qmpin-pin\n", "tag pin",
		"core refused: tag qmpin-core is not registered"},
	{&full, "tags: qmpin-observe\n", "tag observe", ""},
	{&full, "tags: qmpin-dedicated\n", "nothing",
		"dedicated refused: allow_dedicated is not set"},
	{&open_tags, "tags: qmpin-core\n", "tag core", ""},
	{&open_tags, "tags: qmpin-dedicated;qmpin\n", "tag on",
		"dedicated refused: allow_dedicated is not set"},
	{&all, "tags: qmpin-dedicated\n", "tag dedicated", ""},
	/* The most careful one wins. */
	{&all, "tags: qmpin-dedicated;qmpin\n", "tag dedicated", ""},
	{&all, "tags: qmpin;qmpin-dedicated;qmpin-pin\n", "tag pin", ""},
	{&all, "tags: qmpin-core;qmpin-pin\n", "tag core", ""},
	{&all, "tags: qmpin-core;qmpin-auto\n", "tag auto", ""},
	{&all, "tags: qmpin-auto;qmpin-float\n", "tag float", ""},
	{&all, "tags: qmpin-observe;qmpin-float\n", "tag observe", ""},
	{&all, "tags: qmpin-observe;qmpin-off\n", "tag off", ""},
	/* The line. */
	{&opt, "#qmpin: on\n", "description on", ""},
	{&opt, "#qmpin: off\n", "description off", ""},
	{&opt, "#qmpin: observe\n", "description observe", ""},
	{&opt, "#qmpin:observe\n", "description observe", ""},
	{&opt, "#qmpin%3A%20off\n", "description off", ""},
	{&opt, "#\t qmpin: \t off \t\n", "description off", ""},
	{&opt, "#text\n#x qmpin: off\n#qmpin: observe\n#qmpin: off\n",
		"description observe", ""},
	{&opt, "#Qmpin: off\n#qmpin : off\n#- qmpin: off\n#qmpinx: off\n#qmpin\n",
		"nothing", ""},
	{&opt, "#qmpin: pin\n", "nothing", LINE_MODES},
	{&opt, "#qmpin: auto\n", "nothing",
		"auto refused: description may not set modes"},
	{&opt, "#qmpin: on smt=avoid\n", "nothing",
		"smt refused: description may not set policies"},
	{&opt, "#qmpin: observe emulator=float\n", "nothing",
		"emulator refused: description may not set policies"},
	{&opt, "#qmpin: off smt=avoid\n", "description off", ""},
	{&full, "#qmpin: pin\n", "description pin", ""},
	{&full, "#qmpin: auto\n", "description auto", ""},
	{&full, "#qmpin: dedicated\n", "nothing",
		"dedicated refused: allow_dedicated is not set"},
	{&all, "#qmpin: dedicated smt=isolate emulator=isolate\n",
		"description dedicated smt=isolate emulator=isolate", ""},
	{&all, "#qmpin: core   emulator=follow  smt=share\n",
		"description core smt=share emulator=follow", ""},
	{&all, "#qmpin: on smt=avoid\n", "description on smt=avoid", ""},
	/* One wrong word refuses the line. */
	{&all, "#qmpin:\n", "nothing", "description refused: nothing behind qmpin:"},
	{&all, "#qmpin: \t\n#qmpin: off\n", "nothing",
		"description refused: nothing behind qmpin:"},
	{&all, "#qmpin: pni\n", "nothing", "description refused: unknown word \"pni\""},
	{&all, "#qmpin: OFF\n", "nothing", "description refused: unknown word \"OFF\""},
	{&all, "#qmpin: off please\n", "nothing",
		"description refused: unknown or repeated \"please\""},
	{&all, "#qmpin: pin pin\n", "nothing",
		"description refused: unknown or repeated \"pin\""},
	{&all, "#qmpin: smt=avoid\n", "nothing",
		"description refused: unknown word \"smt=avoid\""},
	{&all, "#qmpin: pin smt\n", "nothing",
		"description refused: unknown or repeated \"smt\""},
	{&all, "#qmpin: pin smt=\n", "nothing",
		"description refused: unknown or repeated \"smt=\""},
	{&all, "#qmpin: pin smt=follow\n", "nothing",
		"description refused: unknown or repeated \"smt=follow\""},
	{&all, "#qmpin: pin smt=avoid smt=avoid\n", "nothing",
		"description refused: unknown or repeated \"smt=avoid\""},
	{&all, "#qmpin: pin mode=core\n", "nothing",
		"description refused: unknown or repeated \"mode=core\""},
	{&all, "#qmpin: pin =avoid\n", "nothing",
		"description refused: unknown or repeated \"=avoid\""},
	{&all, "#qmpin: o%00ff\n", "nothing",
		"description refused: unknown word \"o\\xef\\xbf\\xbdff\""},
	{&all, "#qmpin: %C3%BCber\x1b\n", "nothing",
		"description refused: unknown word \"\\xc3\\xbcber\\x1b\""},
	/* Both. */
	{&opt, "#qmpin: on\ntags: qmpin-off\n", "description on", ""},
	{&opt, "#qmpin: off\ntags: qmpin\n", "description off", ""},
	{&opt, "#qmpin: off\ntags: qmpin-pin\n", "description off", ""},
	{&opt, "#qmpin: pin\ntags: qmpin-off\n", "tag off", LINE_MODES},
	{&opt, "#qmpin: pni\ntags: qmpin-pin;qmpin\n", "tag on",
		"description refused: unknown word \"pni\""},
	{&all, "#qmpin: dedicated\ntags: qmpin-observe\n", "description dedicated", ""},
	/* Nobody asked. */
	{&ignore, "#qmpin: off\ntags: qmpin-off\n", "nothing", ""},
	{&ignore, "#qmpin: pni\ntags: qmpin-x\n", "nothing", ""},
};

static char *
in_words(const struct optin *o)
{
	struct strbuf out = {0};

	if (o->by == OPTIN_BY_NOBODY) {
		assert_false(o->on || o->has_mode || o->has_smt || o->has_emulator);
		strbuf_adds(&out, "nothing");
		return strbuf_take(&out);
	}
	assert_int_equal(o->on, !(o->has_mode && o->mode == PLACE_OFF));
	strbuf_addf(&out, "%s %s", o->by == OPTIN_BY_TAG ? "tag" : "description",
		o->has_mode ? place_mode_name(o->mode) : "on");
	if (o->has_smt)
		strbuf_addf(&out, " smt=%s", place_smt_name(o->smt));
	if (o->has_emulator)
		strbuf_addf(&out, " emulator=%s", place_emulator_name(o->emulator));
	return strbuf_take(&out);
}

static void
what_counts_is_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct vmconf c;
		struct optin o;

		assert_int_equal(
			vmconf_parse(cases[i].text, strlen(cases[i].text), &c), 0);
		optin_judge(&c, cases[i].rules, &o);
		auto_free char *says = in_words(&o);

		if (strcmp(says, cases[i].says) != 0 ||
			strcmp(o.refused, cases[i].refused) != 0)
			fail_msg("case %zu, %s: %s (%s)", i, cases[i].text, says,
				o.refused);
		vmconf_fini(&c);
	}
}

static void
what_counted_is_judged_again_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct vmconf c;
		struct optin kept;
		struct optin o;

		assert_int_equal(
			vmconf_parse(cases[i].text, strlen(cases[i].text), &c), 0);
		optin_judge(&c, cases[i].rules, &kept);
		optin_judge_kept(&kept, cases[i].rules, &o);
		auto_free char *says = in_words(&o);

		if (strcmp(says, cases[i].says) != 0)
			fail_msg("case %zu, %s: %s", i, cases[i].text, says);
		assert_string_equal(o.refused, "");
		vmconf_fini(&c);
	}
}

static void
what_counted_is_judged_by_other_rules(void **state)
{
	static const struct optin_rules unregistered = {.trust = OPTIN_TRUST_FULL};
	const struct optin pin = {
		.by = OPTIN_BY_TAG, .on = true, .has_mode = true, .mode = PLACE_PIN};
	const struct optin dedicated = {.by = OPTIN_BY_DESCRIPTION,
		.on = true,
		.has_mode = true,
		.mode = PLACE_DEDICATED};
	const struct optin off = {
		.by = OPTIN_BY_DESCRIPTION, .has_mode = true, .mode = PLACE_OFF};
	struct optin o;

	(void)state;
	optin_judge_kept(&pin, &unregistered, &o); /* it was registered then */
	assert_int_equal(o.mode, PLACE_PIN);
	optin_judge_kept(&pin, &opt, &o);
	assert_int_equal(o.by, OPTIN_BY_NOBODY);
	assert_string_equal(o.refused, TAG_MODES);
	optin_judge_kept(&dedicated, &full, &o);
	assert_int_equal(o.by, OPTIN_BY_NOBODY);
	optin_judge_kept(&off, &opt, &o);
	assert_true(o.has_mode && o.mode == PLACE_OFF && !o.on);
	optin_judge_kept(&off, &ignore, &o);
	assert_int_equal(o.by, OPTIN_BY_NOBODY);
}

static void
a_long_word_does_not_hide_what_is_refused(void **state)
{
	char text[2048] = "#qmpin: ";
	struct vmconf c;
	struct optin o;

	(void)state;
	memset(text + strlen(text), '\x80', 1000);
	assert_int_equal(vmconf_parse(text, strlen(text), &c), 0);
	optin_judge(&c, &all, &o);
	assert_true(str_has_prefix(
		o.refused, "description refused: unknown word \"\\x80\\x80"));
	assert_int_equal(o.refused[strlen(o.refused) - 1], '"');
	assert_true(strlen(o.refused) < OPTIN_REFUSED_MAX - 1);
	vmconf_fini(&c);
}

static const struct {
	const char *text;
	const char *tags; /* with a blank behind each */
} datacenters[] = {
	{"", ""},
	{"keyboard: de\n", ""},
	{"registered-tags: qmpin-pin\n", "qmpin-pin "},
	{"keyboard: de\nregistered-tags: A;QMPIN-core;b\r\nx: y\n", "a qmpin-core b "},
	{"registered-tags: a\nregistered-tags: b;c", "b c "},
	{"  registered-tags:a\n", "a "},
	{"registered-tags:\n", ""},
	{"#registered-tags: a\n", ""},
	{"user-tag-access: user-allow=list,user-allow-list=qmpin-pin\n", ""},
	{"registered-tags: -x;a;\xc3\xbc;b c\n", "a b c "},
};

static void
registered_tags_are_read_of_a_datacenter_cfg(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(datacenters); i++) {
		struct strbuf got = {0};
		char **list;
		size_t n;

		optin_registered(
			datacenters[i].text, strlen(datacenters[i].text), &list, &n);
		for (size_t k = 0; k < n; k++) {
			strbuf_addf(&got, "%s ", list[k]);
			free(list[k]);
		}
		free(list);
		if (strcmp(strbuf_text(&got), datacenters[i].tags) != 0)
			fail_msg("case %zu: %s", i, strbuf_text(&got));
		strbuf_fini(&got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_is_what_is_allowed),
		cmocka_unit_test(what_counted_is_judged_again_as_it_was),
		cmocka_unit_test(what_counted_is_judged_by_other_rules),
		cmocka_unit_test(a_long_word_does_not_hide_what_is_refused),
		cmocka_unit_test(registered_tags_are_read_of_a_datacenter_cfg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
