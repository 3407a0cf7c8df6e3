// SPDX-License-Identifier: MIT
/*
 * Days of a busy host in seconds: the real engine and planner in virtual time against a
 * model of a host and its VMs. What breaks is told with the seed, the time, the last
 * events and how to see it again.
 */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "act/record.h"
#include "act/recorddir.h"
#include "base/attr.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "judge.h"
#include "life.h"
#include "loop.h"
#include "model.h"
#include "qmpind.h"
#include "seam.h"

#define EXIT_USAGE 2

struct options {
	const char *host;
	uint64_t seed;
	uint64_t days;
	uint64_t audit_s;
	bool trace;
};

static const struct {
	const char *name;
	const struct host_spec *spec;
} hosts[] = {
	{"9354", &host_9354},
	{"7351P", &host_7351p},
	{"9654-2s", &host_9654_2s},
	{"9654-nps1", &host_9654_nps1},
	{"xeon-2s", &host_xeon_2s},
	{"snc", &host_snc},
	{"hybrid", &host_hybrid},
	{"flat2", &host_flat2},
};

static const struct host_spec *
find_host(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (strcmp(hosts[i].name, name) == 0)
			return hosts[i].spec;
	}
	return NULL;
}

static int
usage(void)
{
	(void)fprintf(stderr, "usage: sim [--host NAME] [--seed N] [--days D] "
			      "[--audit SECONDS] [--trace]\nhosts:");
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		(void)fprintf(stderr, " %s", hosts[i].name);
	(void)fprintf(stderr, "\n");
	return EXIT_USAGE;
}

static bool
read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {{"host", required_argument, NULL, 'h'},
		{"seed", required_argument, NULL, 's'},
		{"days", required_argument, NULL, 'd'},
		{"audit", required_argument, NULL, 'a'},
		{"trace", no_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	bool ok = true;
	int c;

	*o = (struct options){.host = "9354", .seed = 1, .days = 1, .audit_s = 60};
	while (ok && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'h')
			o->host = optarg;
		else if (c == 's')
			ok = str_parse_uint(optarg, UINT32_MAX, &o->seed) == 0;
		else if (c == 'd')
			ok = str_parse_uint(optarg, 10000, &o->days) == 0;
		else if (c == 'a')
			ok = str_parse_uint(optarg, 3600, &o->audit_s) == 0 &&
			     o->audit_s > 0;
		else
			ok = c == 't' && (o->trace = true);
	}
	return ok && optind == argc && find_host(o->host) != NULL;
}

/* ---- telling ---- */

static void
tell_broken(const struct judge *j, const struct options *o)
{
	const char *fault = getenv("QMPIN_SIM_FAULT");
	uint64_t now_us = model_now_us(j->model);

	(void)printf(
		"BROKEN: %s: %s\nhost %s, seed %llu, day %.3f (%.6f s); before it:\n",
		judge_rule_name(j->rule), j->text, o->host, (unsigned long long)o->seed,
		(double)now_us / (double)DAY_US, (double)now_us / 1e6);
	for (unsigned int i = j->n_last > JUDGE_LAST ? j->n_last - JUDGE_LAST : 0;
		i < j->n_last; i++) {
		const struct judge_line *line = &j->last[i % JUDGE_LAST];

		(void)printf("%14.6f %s\n", (double)line->at_us / 1e6, line->text);
	}
	(void)printf(
		"again: %s%s%stests/sim/sim --host %s --seed %llu --days %llu --audit "
		"%llu --trace\n",
		fault != NULL ? "QMPIN_SIM_FAULT=" : "", fault != NULL ? fault : "",
		fault != NULL ? " " : "", o->host, (unsigned long long)o->seed,
		(unsigned long long)o->days, (unsigned long long)o->audit_s);
}

static void
tell_result(const struct judge *j, const struct options *o, double took_s)
{
	const struct judge_counts *c = &j->counts;
	uint64_t checks = 0;

	for (unsigned int i = 0; i < N_RULES; i++)
		checks += c->checks[i];
	(void)printf(
		"%-9s seed %llu: %llu days in %.1f s: %llu events, %llu sets, %llu "
		"plans, %llu restarts, %llu kills, %llu checks; moves:",
		o->host, (unsigned long long)o->seed, (unsigned long long)o->days,
		took_s, (unsigned long long)c->events, (unsigned long long)c->sets,
		(unsigned long long)j->n_plans, (unsigned long long)c->restarts,
		(unsigned long long)c->kills, (unsigned long long)checks);
	for (unsigned int i = 0; i < CAUSE_N; i++) {
		if (c->moves[i] > 0)
			(void)printf(" %s %llu", cause_name((enum cause)i),
				(unsigned long long)c->moves[i]);
	}
	(void)printf(", at most %u a day for a gain\n", c->most_moves);
}

/* ---- running ---- */

static bool
run(const struct options *o, const char *run_dir)
{
	struct event_base *base = event_base_new();
	struct model *m = model_new(base, find_host(o->host), o->seed);
	struct judge judge = {.model = m,
		.audit_us = o->audit_s * SECOND_US,
		.trace = o->trace,
		.run_dirfd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	struct qmpind daemon = {.model = m,
		.judge = &judge,
		.run_dir = run_dir,
		.audit_ms = (unsigned int)o->audit_s * 1000};
	struct life life;
	clock_t began = clock();

	seam()->model = m;
	seam()->judge = &judge;
	life_begin(&life, m, &judge, &daemon, o->seed);
	loop_run(base, o->days * DAY_US);
	if (judge.broken)
		tell_broken(&judge, o);
	else
		tell_result(&judge, o, (double)(clock() - began) / CLOCKS_PER_SEC);
	life_end(&life);
	model_free(m);
	event_base_free(base);
	close(judge.run_dirfd);
	return !judge.broken;
}

static void
remove_record(void *arg, const char *id)
{
	record_remove(*(const int *)arg, id);
}

static bool
run_in_folder(const struct options *o)
{
	const char *tmp = getenv("TMPDIR");
	auto_free char *dir =
		xasprintf("%s/qmpin-sim-XXXXXX", tmp != NULL ? tmp : "/tmp");
	bool ok;
	int fd;

	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return false;
	}
	ok = run(o, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)!recorddir_each(fd, remove_record, &fd);
	close(fd);
	(void)rmdir(dir);
	return ok;
}

int
main(int argc, char **argv)
{
	struct options o;

	if (!read_options(argc, argv, &o))
		return usage();
	if (!seam_read_fault(getenv("QMPIN_SIM_FAULT"))) {
		(void)fprintf(stderr, "sim: QMPIN_SIM_FAULT names no fault\n");
		return EXIT_USAGE;
	}
	log_open(LOG_TO_STDERR, LOG_INFO);
	log_set_level(o.trace ? LOG_INFO : -1);
	return run_in_folder(&o) ? EXIT_SUCCESS : EXIT_FAILURE;
}
