// SPDX-License-Identifier: MIT
/* Latencies as tables and as files. What they mean was decided before. */
#include "config.h"

#include "cli/latprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "cli/latstats.h"
#include "cli/out.h"
#include "cli/table.h"
#include "host/hwexport.h"
#include "probe/latfile.h"

/* Columns of what a line is about. */
#define LABEL 12u

static const struct table_column tier_columns[] = {
	{.name = "TIER", .right = true},
	{.name = "NAME"},
	{.name = "DOMAINS", .right = true},
	{.name = "CPUS", .right = true},
	{.name = "PAIRS", .right = true, .drop = 2},
	{.name = "MIN", .right = true},
	{.name = "MEDIAN", .right = true},
	{.name = "MAX", .right = true},
	{.name = "CONFIDENCE", .right = true, .drop = 1},
};

static const struct table_column level_columns[] = {
	{.name = "LEVEL"},
	{.name = "MEASURED"},
	{.name = "GROUPS", .right = true},
	{.name = "AGREE", .right = true},
	{.name = "WITHIN", .right = true},
	{.name = "BEYOND", .right = true},
};

/* " (measured 2025-11-21 10:00)", or nothing. */
static void
print_time(uint64_t measured_us)
{
	time_t s = (time_t)(measured_us / 1000000);
	char text[64];
	struct tm tm;

	if (measured_us > 0 && localtime_r(&s, &tm) != NULL &&
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) > 0)
		printf("measured    %s\n", text);
}

/* A single tier is nobody's: files of values alone have no tree behind them. */
static const char *
trusted_text(const struct ctl_latency *l)
{
	if (l->trusted)
		return "yes";
	return l->n_tiers == 1 ? "no, and the whole host is one tier"
			       : "no, the tiers are those of the host's own tree";
}

void
latprint_summary(const struct ctl_latency *l)
{
	struct cpuset cpus = matrix_cpus(l->matrix);
	auto_free char *list = xcalloc(CPUSET_TEXT_MAX, 1);
	auto_free char *source = out_safe(l->source);

	out_line(LABEL, "source      %s%s", source,
		strcmp(source, "class model") == 0
			? ": values are assumed, by what CPUs share"
			: "");
	print_time(l->measured_us);
	out_line(LABEL, "trusted     %s", trusted_text(l));
	out_line(LABEL, "CPUs        %s", cpuset_format(&cpus, list, CPUSET_TEXT_MAX));
}

static char *
range(unsigned int min, unsigned int max)
{
	return min == max ? xasprintf("%u", min) : xasprintf("%u-%u", min, max);
}

static char *
known_of_all(const struct latstats *s)
{
	return s->known == s->pairs ? xasprintf("%zu", s->pairs)
				    : xasprintf("%zu/%zu", s->known, s->pairs);
}

static char *
ns_text(float ns)
{
	return ns > 0 ? xasprintf("%.1f", (double)ns) : xstrdup("-");
}

static void
add_tier(struct table *t, const struct latsource *s, unsigned int i,
	const struct latstats *stats)
{
	const struct ctl_tier *tier = &s->latency.tiers[i];
	char *cells[ARRAY_LEN(tier_columns)] = {
		xasprintf("%u", i + 1),
		xstrdup(latstats_tier_name(&s->latency, i, s->topo)),
		xasprintf("%u", tier->n_domains),
		range(stats->min_cpus, stats->max_cpus),
		known_of_all(stats),
		ns_text(stats->min_ns),
		ns_text(stats->median_ns),
		ns_text(stats->max_ns),
		/* of what was not measured there is nothing to be confident of */
		s->latency.trusted ? xasprintf("%.0f %%", tier->confidence * 100)
				   : xstrdup("-"),
	};

	table_row(t);
	for (size_t c = 0; c < ARRAY_LEN(cells); c++)
		table_set(t, c, cells[c]);
}

/* After what printf has written: the table goes its own way to stdout. */
static void
print_table(struct table *t, bool heading)
{
	printf("\n");
	(void)fflush(stdout);
	table_print(t, heading);
	table_free(t);
}

void
latprint_tiers(const struct latsource *s, bool heading)
{
	struct latstats stats[CTL_LATENCY_TIERS_MAX];
	struct table *t = table_new(tier_columns, ARRAY_LEN(tier_columns));

	latstats_compute(&s->latency, stats);
	for (unsigned int i = 0; i < s->latency.n_tiers; i++)
		add_tier(t, s, i, &stats[i]);
	print_table(t, heading);
}

static void
add_level(struct table *t, const struct ranking_level *level)
{
	char *cells[ARRAY_LEN(level_columns)] = {
		xstrdup(level->name),
		xstrdup(ranking_verdict_name(level->verdict)),
		xasprintf("%u", level->n_groups),
		xasprintf("%u", level->n_agree),
		ns_text(level->within_ns),
		ns_text(level->beyond_ns),
	};

	table_row(t);
	for (size_t c = 0; c < ARRAY_LEN(cells); c++)
		table_set(t, c, cells[c]);
	if (level->verdict == RANKING_DENIED || level->verdict == RANKING_SPLIT)
		table_mark(t);
}

void
latprint_levels(const struct latsource *s, bool heading)
{
	struct table *t;

	if (s->ranking == NULL || s->ranking->n_levels == 0)
		return;
	t = table_new(level_columns, ARRAY_LEN(level_columns));
	for (unsigned int i = 0; i < s->ranking->n_levels; i++)
		add_level(t, &s->ranking->levels[i]);
	print_table(t, heading);
}

static char *
make_xml(const struct latsource *s, const char *path, struct err *e)
{
	char *text = NULL;

	if (s->topo == NULL)
		(void)err_set(e, -ENOENT, NULL, 0,
			"cannot write %.150s: these CPUs' host is not known here, "
			"--topology tells it",
			path);
	else if (hwexport_xml(s->topo_path, s->latency.matrix, &text, e) < 0)
		return NULL;
	return text;
}

/* The text of the file, or NULL with @e. */
static char *
make_text(const struct latsource *s, const char *path, enum outfile_kind kind,
	struct err *e)
{
	if (kind == OUTFILE_XML)
		return make_xml(s, path, e);
	return kind == OUTFILE_CSV ? latfile_csv(s->latency.matrix)
				   : latfile_json(s->latency.matrix);
}

enum cmd_exit
latprint_file(const struct latsource *s, const char *path, enum outfile_kind kind)
{
	struct err e = ERR_NONE;
	auto_free char *text = make_text(s, path, kind, &e);

	if (text != NULL && outfile_write(path, text, strlen(text), &e) == 0)
		return CMD_OK;
	out_error(&e);
	return CMD_FAILED;
}
