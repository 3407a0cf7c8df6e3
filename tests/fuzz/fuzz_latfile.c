// SPDX-License-Identifier: MIT
/*
 * Latencies in files of others: what is accepted must be the same when it is written
 * and read again, as CSV and as JSON, and a refused text must leave the output alone
 * and have a reason.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "probe/latfile.h"

/* Read what was written; free both. */
static void
check_again(char *text, const struct matrix *m)
{
	struct matrix *back = NULL;
	char *twice;
	int r;

	r = latfile_parse(text, strlen(text), NULL, "fuzz", &back, NULL);
	assert(r == 0);
	assert(back->n == m->n);
	assert(memcmp(back->cpus, m->cpus, m->n * sizeof(*m->cpus)) == 0);
	twice = *text == '{' ? latfile_json(back) : latfile_csv(back);
	assert(strcmp(twice, text) == 0);
	matrix_free(back);
	free(twice);
	free(text);
}

static void
check(const char *text, size_t len, const struct cpuset *online)
{
	struct err e = ERR_NONE;
	struct matrix *m = NULL;
	int r = latfile_parse(text, len, online, "fuzz", &m, &e);

	assert((r < 0) == err_is_set(&e) && (r < 0) == (m == NULL));
	/* a measurement of ours may be about no CPU at all */
	if (m != NULL && m->n > 0) {
		check_again(latfile_csv(m), m);
		check_again(latfile_json(m), m);
	}
	matrix_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cpuset online = cpuset_below(3);

	check((const char *)data, size, NULL);
	check((const char *)data, size, &online);
	return 0;
}
