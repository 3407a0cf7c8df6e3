// SPDX-License-Identifier: MIT
/* Settings one by one: each key with the value that counts, and where it was set. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/inventory.h"
#include "conf/option_table.h"

static void
add(struct settings *c, const char *name, const char *text)
{
	struct err e = ERR_NONE;

	if (settings_parse(c, text, strlen(text), name, SETTINGS_ORIGIN_CONFIG, &e) < 0)
		fail_msg("%s:%u: %s", e.source, e.line, e.text);
}

/* All items as lines "key = value file:line", or only those that are set. */
struct lines {
	bool all;
	struct strbuf text;
};

static void
add_line(void *arg, const struct inventory_item *item)
{
	struct lines *l = arg;

	assert_true(strlen(item->text) > 10);
	if (item->file != NULL)
		strbuf_addf(&l->text, "%s = %s %s:%u\n", item->key, item->value,
			item->file, item->line);
	else if (l->all)
		strbuf_addf(&l->text, "%s = %s\n", item->key, item->value);
}

static void
check_set(const struct settings *c, const char *want)
{
	struct lines l = {.all = false};

	inventory_each(c, add_line, &l);
	assert_string_equal(strbuf_text(&l.text), want);
	strbuf_fini(&l.text);
}

static void
every_value_has_the_place_that_won(void **state)
{
	struct settings c;

	(void)state;
	settings_init(&c);
	check_set(&c, "");
	add(&c, "a.conf",
		"[qmpin]\nmode = pin\nsettle_ms = 5\n[vm 104]\nmode=off\n"
		"[vm 103]\nmemory = ignore\nmode = float\n");
	add(&c, "b.conf",
		"# late\n[weights]\nmemory = 0.50\n[qmpin]\nmode = core\n"
		"reserved_cpus = 0,1,2,8\n[vm 103]\nmode = dedicated\n");
	check_set(&c, "mode = core b.conf:5\n"
		      "reserved_cpus = 0-2,8 b.conf:6\n"
		      "settle_ms = 5 a.conf:3\n"
		      "weights.memory = 0.5 b.conf:3\n"
		      "vm 103.mode = dedicated b.conf:8\n"
		      "vm 103.memory = ignore a.conf:7\n"
		      "vm 104.mode = off a.conf:5\n");
	settings_fini(&c);
}

static void
every_key_is_told_with_its_default(void **state)
{
	struct settings c;
	struct lines l = {.all = true};
	struct strbuf want = {0};
	size_t n;
	const struct option_def *table = option_table(&n);

	(void)state;
	settings_init(&c);
	inventory_each(&c, add_line, &l);
	for (size_t i = 0; i < n; i++) {
		const char *section = option_table_section(&table[i]);

		strbuf_addf(&want, "%s%s = %s\n",
			str_equal(section, "qmpin") ? "" : "weights.", table[i].key,
			table[i].fallback);
	}
	assert_string_equal(strbuf_text(&l.text), strbuf_text(&want));
	strbuf_fini(&l.text);
	strbuf_fini(&want);
	settings_fini(&c);
}

static void
the_file_of_a_mode_is_known(void **state)
{
	struct settings c;
	unsigned int line = 7;

	(void)state;
	settings_init(&c);
	assert_null(settings_mode_file(&c, "103", &line));
	assert_int_equal(line, 7);
	add(&c, "a.conf", "[qmpin]\nmode = pin\n[vm 103]\nsmt = avoid\n");
	assert_string_equal(settings_mode_file(&c, "103", &line), "a.conf");
	assert_int_equal(line, 2);
	add(&c, "b.conf", "[vm 103]\nmode = off\n");
	assert_string_equal(settings_mode_file(&c, "103", &line), "b.conf");
	assert_int_equal(line, 2);
	assert_string_equal(settings_mode_file(&c, "104", &line), "a.conf");
	settings_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_the_place_that_won),
		cmocka_unit_test(every_key_is_told_with_its_default),
		cmocka_unit_test(the_file_of_a_mode_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
