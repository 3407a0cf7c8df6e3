// SPDX-License-Identifier: MIT
/*
 * Counts, reasons and quantiles. Failed commands have no latency: a time-out would only
 * say how long the time-out is.
 */
#include "config.h"

#include "tally.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"

struct tally *
tally_new(unsigned int n)
{
	void *p = mmap(NULL, n * sizeof(struct tally), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void
add_failure(struct tally *t, const struct tally_sample *s, const char *why)
{
	struct tally_failure *f;

	t->counts.failed++;
	if (t->n_failures == TALLY_FAILURES_MAX)
		return;
	f = &t->failures[t->n_failures++];
	f->began_us = s->began_us;
	f->ended_us = s->began_us + s->took_us;
	f->socket = s->socket;
	str_copy(f->why, sizeof(f->why), why);
}

void
tally_add(struct tally *t, const struct tally_sample *s, const char *why)
{
	t->counts.commands++;
	t->counts.eagain += s->eagain;
	t->counts.eagain_commands += s->eagain > 0;
	t->counts.held += s->held;
	if (why != NULL)
		add_failure(t, s, why);
	else if (t->n_samples < TALLY_SAMPLES_MAX)
		t->samples[t->n_samples++] = *s;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
report_latency(const struct tally *t, unsigned int n, json_t *out)
{
	static const struct {
		const char *name;
		unsigned int per_mille;
	} quantiles[] = {{"median_us", 500}, {"p95_us", 950}, {"p99_us", 990},
		{"p999_us", 999}, {"max_us", 1000}};
	auto_free uint32_t *all = NULL;
	size_t len = 0;

	for (unsigned int i = 0; i < n; i++)
		len += t[i].n_samples;
	all = xcalloc(len + 1, sizeof(*all));
	len = 0;
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < t[i].n_samples; k++)
			all[len++] = t[i].samples[k].took_us;
	qsort(all, len, sizeof(*all), by_value);
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		size_t at = len * quantiles[i].per_mille / 1000;

		json_object_set_new(out, quantiles[i].name,
			len == 0 ? json_null()
				 : json_integer(all[at < len ? at : len - 1]));
	}
}

static void
count_reason(json_t *reasons, const char *why)
{
	json_int_t before = json_integer_value(json_object_get(reasons, why));

	json_object_set_new(reasons, why, json_integer(before + 1));
}

static void
report_failures(const struct tally *t, char **paths, json_t *reasons, json_t *list)
{
	for (unsigned int i = 0; i < t->n_failures; i++) {
		const struct tally_failure *f = &t->failures[i];

		count_reason(reasons, f->why);
		json_array_append_new(list,
			json_pack("{ss ss sI sI}", "socket", paths[f->socket], "why",
				f->why, "began_us", (json_int_t)f->began_us, "ended_us",
				(json_int_t)f->ended_us));
	}
}

static void
report_plugs(const struct tally *t, char **paths, json_t *list)
{
	for (unsigned int i = 0; i < t->n_plugs; i++) {
		const struct tally_plug *p = &t->plugs[i];

		json_array_append_new(list,
			json_pack("{ss sI sI si sI sI so}", "socket", paths[p->socket],
				"index", (json_int_t)p->index, "n_cpus",
				(json_int_t)p->n_cpus, "tid", p->tid, "replied_us",
				(json_int_t)p->replied_us, "seen_us",
				(json_int_t)p->seen_us, "pinned_us",
				p->pinned_us == 0
					? json_null()
					: json_integer((json_int_t)p->pinned_us)));
	}
}

json_t *
tally_report(const struct tally *t, unsigned int n, char **paths)
{
	json_t *reasons = json_object();
	json_t *list = json_array();
	json_t *plugs = json_array();
	json_t *out;
	struct tally_counts sum = {0};

	for (unsigned int i = 0; i < n; i++) {
		sum.commands += t[i].counts.commands;
		sum.failed += t[i].counts.failed;
		sum.eagain += t[i].counts.eagain;
		sum.eagain_commands += t[i].counts.eagain_commands;
		sum.held += t[i].counts.held;
		report_failures(&t[i], paths, reasons, list);
		report_plugs(&t[i], paths, plugs);
	}
	out = json_pack("{sI sI sI sI sI so so so}", "commands",
		(json_int_t)sum.commands, "failed", (json_int_t)sum.failed, "eagain",
		(json_int_t)sum.eagain, "eagain_commands",
		(json_int_t)sum.eagain_commands, "held", (json_int_t)sum.held,
		"reasons", reasons, "failures", list, "plugs", plugs);
	report_latency(t, n, out);
	return out;
}

void
tally_write(const struct tally *t, unsigned int n, FILE *f)
{
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < t[i].n_samples; k++) {
			const struct tally_sample *s = &t[i].samples[k];

			(void)fprintf(f, "%llu %u %u %u %d\n",
				(unsigned long long)s->began_us, s->took_us, s->socket,
				s->eagain, s->held);
		}
}
