// SPDX-License-Identifier: MIT
/* One line a policy; a star marks those that make VMs wait. */
#include "config.h"

#include "table.h"

#include <stdio.h>

#include "base/str.h"

static const enum measure columns[] = {MEASURE_WAIT, MEASURE_WAIT95, MEASURE_LAT,
	MEASURE_REMOTE, MEASURE_LOST, MEASURE_SMT, MEASURE_SMT_X, MEASURE_SPLIT,
	MEASURE_IMB, MEASURE_EMU, MEASURE_WIDTH};

void
table_begin(struct table *t, const char *title)
{
	str_copy(t->title, sizeof(t->title), title);
	printf("\n%s\n  %-16s %6s %6s", title, "", "J", "ratio");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		printf(" %6s", judge_measure_name(columns[i]));
	printf(" %6s %6s %7s %6s %7s\n", "w95all", "moved", "GiB", "refus", "ms");
}

static void
add_json(struct table *t, const char *name, const struct score *s, double to_numad)
{
	json_t *row = json_pack("{s:s, s:s, s:b, s:f, s:i, s:i}", "of", t->title,
		"policy", name, "meets", score_meets(s), "ratio", to_numad, "steps",
		(int)s->steps, "refused", (int)s->refused);

	for (int m = 0; m < N_MEASURES; m++)
		(void)json_object_set_new(row, judge_measure_name((enum measure)m),
			json_real(score_mean(s, (enum measure)m)));
	(void)json_object_set_new(row, "w95all", json_real(score_p95(s)));
	(void)json_object_set_new(row, "moved", json_real(s->moved / s->steps));
	(void)json_object_set_new(row, "moved_gib", json_real(s->moved_gib / s->steps));
	(void)json_object_set_new(row, "ms", json_real(s->ms / s->steps));
	(void)json_array_append_new(t->rows, row);
}

void
table_row(struct table *t, const char *name, const struct score *s, double to_numad)
{
	printf("%s %-16s %6.3f %6.3f", score_meets(s) ? " " : "*", name,
		score_mean(s, MEASURE_J), to_numad);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		printf(" %6.*f",
			columns[i] == MEASURE_LAT    ? 1
			: columns[i] == MEASURE_WAIT ? 4
						     : 3,
			score_mean(s, columns[i]));
	printf(" %6.3f %6.2f %7.2f %6u %7.3f\n", score_p95(s), s->moved / s->steps,
		s->moved_gib / s->steps, s->refused, s->ms / s->steps);
	(void)fflush(stdout);
	if (t->rows != NULL)
		add_json(t, name, s, to_numad);
}
