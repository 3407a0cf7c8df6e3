// SPDX-License-Identifier: MIT
/*
 * Any words on the command line of qmpin, one a line: they are understood or told what
 * is wrong with them, every value is within its bounds, and the words that getopt has
 * put in order mean the same again.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/args.h"

#define WORDS_MAX 100

/* Cuts @text into words; returns how many. */
static int
cut(char *text, char **argv)
{
	int argc = 0;

	argv[argc++] = (char *)(uintptr_t) "qmpin";
	while (*text != '\0' && argc < WORDS_MAX) {
		char *end = text + strcspn(text, "\n");

		argv[argc++] = text;
		if (*end == '\0')
			break;
		*end = '\0';
		text = end + 1;
	}
	argv[argc] = NULL;
	return argc;
}

static void
check(const struct args *a, int argc, char **argv)
{
	assert(a->run_dir != NULL && *a->run_dir != '\0');
	assert(a->format <= ARGS_CSV);
	assert(a->budget_s >= 0 && a->budget_s <= ARGS_BUDGET_MAX_S);
	assert(a->lines <= ARGS_LINES_MAX);
	assert(a->n_sets <= ARGS_SETS_MAX);
	for (unsigned int i = 0; i < a->n_sets; i++)
		assert(strchr(a->sets[i], '=') > a->sets[i]);
	assert(a->n_operands >= 0 && a->n_operands < argc);
	assert(a->operands + a->n_operands == argv + argc);
	assert(a->command != NULL || a->n_operands == 0);
	for (unsigned int bit = 1; bit != 0; bit <<= 1)
		assert((a->given & bit) == 0 || args_option_name(bit)[0] == '-');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xmemdupz((const char *)data, size);
	char *argv[WORDS_MAX + 1];
	int argc = cut(text, argv);
	struct args a = {.command = "before"};
	struct args again;
	struct err e = ERR_NONE;
	int r = args_parse(argc, argv, size % 2 == 0 ? "/env" : NULL, &a, &e);

	if (r < 0) {
		assert(r == -EINVAL && err_is_set(&e));
		assert(str_equal(a.command, "before"));
		return 0;
	}
	check(&a, argc, argv);
	r = args_parse(argc, argv, NULL, &again, NULL);
	assert(r == 0 && str_equal(a.command, again.command));
	assert(a.n_operands == again.n_operands && a.given == again.given);
	return 0;
}
