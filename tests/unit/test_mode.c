// SPDX-License-Identifier: MIT
/* Names of modes and policies. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "place/mode.h"

static void
every_name_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < PLACE_N_MODES; i++)
		assert_int_equal(
			place_mode_parse(place_mode_name((enum place_mode)i)), i);
	for (int i = 0; i < PLACE_N_SMT; i++)
		assert_int_equal(place_smt_parse(place_smt_name((enum place_smt)i)), i);
	for (int i = 0; i < PLACE_N_EMULATOR; i++)
		assert_int_equal(place_emulator_parse(
					 place_emulator_name((enum place_emulator)i)),
			i);
}

static void
names_are_those_of_the_documentation(void **state)
{
	(void)state;
	assert_int_equal(place_mode_parse("off"), PLACE_OFF);
	assert_int_equal(place_mode_parse("observe"), PLACE_OBSERVE);
	assert_int_equal(place_mode_parse("auto"), PLACE_AUTO);
	assert_int_equal(place_mode_parse("float"), PLACE_FLOAT);
	assert_int_equal(place_mode_parse("core"), PLACE_CORE);
	assert_int_equal(place_mode_parse("pin"), PLACE_PIN);
	assert_int_equal(place_mode_parse("dedicated"), PLACE_DEDICATED);
	assert_int_equal(place_smt_parse("avoid"), PLACE_SMT_AVOID);
	assert_int_equal(place_emulator_parse("follow"), PLACE_EMULATOR_FOLLOW);
}

static void
other_words_are_refused(void **state)
{
	static const char *const words[] = {
		"", "Float", "float ", "flo", "floats", "-1"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(place_mode_parse(words[i]), -1);
		assert_int_equal(place_smt_parse(words[i]), -1);
		assert_int_equal(place_emulator_parse(words[i]), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_reads_back),
		cmocka_unit_test(names_are_those_of_the_documentation),
		cmocka_unit_test(other_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
