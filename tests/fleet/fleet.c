// SPDX-License-Identifier: MIT
/*
 * Many stand-ins for QEMU, for tests and benchmarks of scale: starts them, says "ok",
 * and carries out commands from standard input, a line each, answered by "ok" or
 * "error: why". All end with it. See usage().
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "room.h"
#include "ship.h"

/* As many as there are VMIDs that the tests use. */
#define SHIPS_MAX 20000u
#define VMID_MAX 999999999u
/* Of busy vCPUs, or events a second. */
#define NUMBER_MAX 1000000u

struct fleet {
	struct ship_plan plan;
	size_t n;
	size_t cap;
	struct ship *ships; /* pid 0: not running */
};

/* A parsed line: VERB FIRST[-LAST] [WORD]. */
struct line {
	const char *verb;
	unsigned int first;
	unsigned int last;
	const char *word; /* "": none */
};

static void
usage(FILE *to)
{
	(void)fputs(
		"usage: fleet --dir DIR [--vms N] [--first VMID] [--vcpus N] "
		"[--max-vcpus N]\n"
		"             [--threads N] [--iothreads N]\n"
		"commands: start|stop|kill|plug|unplug|pause|resume|unthread VMIDS\n"
		"          busy VMIDS N | storm VMIDS N | event VMIDS NAME | thread VMIDS "
		"NAME\n"
		"storm: so many events a second; the answer is \"ok\" and how many there "
		"were of all\n"
		"VMIDS: 100 or 100-199; stop takes the files away, kill leaves them\n",
		to);
}

static struct ship *
find(struct fleet *f, unsigned int vmid)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->ships[i].vmid == (int)vmid)
			return &f->ships[i];
	}
	return NULL;
}

static int
launch(struct fleet *f, unsigned int vmid)
{
	struct ship *ship = find(f, vmid);

	if (ship != NULL && ship->pid != 0)
		return EEXIST;
	if (ship == NULL) {
		if (f->n == SHIPS_MAX)
			return E2BIG;
		f->ships = xgrow(f->ships, f->n, &f->cap, sizeof(*f->ships));
		ship = &f->ships[f->n++];
		*ship = (struct ship){.vmid = (int)vmid};
	}
	return ship_launch(ship, (int)vmid, &f->plan);
}

/* All at once, and then all of them are waited for. */
static int
start(struct fleet *f, unsigned int first, unsigned int last)
{
	unsigned int launched = first;
	int r = 0;

	while (r == 0 && launched <= last) {
		r = launch(f, launched);
		launched += r == 0;
	}
	for (unsigned int vmid = first; vmid < launched; vmid++) {
		struct ship *ship = find(f, vmid);
		int answer = ship_await(ship);

		if (answer != 0)
			ship_kill(ship);
		r = r != 0 ? r : answer;
	}
	return r;
}

/* Returns an errno; -1: it is none of these. */
static int
order_of(const struct line *line, struct ship_order *out)
{
	static const char *const verbs[] = {
		[SHIP_PLUG] = "plug",
		[SHIP_UNPLUG] = "unplug",
		[SHIP_PAUSE] = "pause",
		[SHIP_RESUME] = "resume",
		[SHIP_BUSY] = "busy",
		[SHIP_EVENT] = "event",
		[SHIP_THREAD] = "thread",
		[SHIP_UNTHREAD] = "unthread",
		[SHIP_STORM] = "storm",
		[SHIP_QUIT] = "stop",
	};
	uint64_t number = 0;
	size_t verb = 0;

	while (verb < ARRAY_LEN(verbs) && !str_equal(verbs[verb], line->verb))
		verb++;
	if (verb == ARRAY_LEN(verbs))
		return -1;
	if ((verb == SHIP_BUSY || verb == SHIP_STORM) &&
		str_parse_uint(line->word, NUMBER_MAX, &number) < 0)
		return EINVAL;
	*out = (struct ship_order){
		.verb = (enum ship_verb)verb, .number = (unsigned int)number};
	str_copy(out->name, sizeof(out->name), line->word);
	return 0;
}

static int
command_one(struct ship *ship, const struct ship_order *order)
{
	int r = ship_command(ship, order);

	if (r == 0 && order->verb == SHIP_QUIT)
		ship_reap(ship);
	return r;
}

static int
carry_out(struct fleet *f, const struct line *line)
{
	bool kill_it = str_equal(line->verb, "kill");
	struct ship_order order;
	int r = 0;

	if (str_equal(line->verb, "start"))
		return start(f, line->first, line->last);
	if (!kill_it)
		r = order_of(line, &order);
	if (r != 0)
		return r < 0 ? ENOSYS : r;
	for (unsigned int vmid = line->first; r == 0 && vmid <= line->last; vmid++) {
		struct ship *ship = find(f, vmid);

		if (ship == NULL || ship->pid == 0)
			return ESRCH;
		if (kill_it)
			ship_kill(ship);
		else
			r = command_one(ship, &order);
	}
	return r;
}

/* Cuts @text into pieces. */
static int
parse(char *text, struct line *out)
{
	char *at = text;
	char *range;
	char *last;
	uint64_t numbers[2];

	text[strcspn(text, "\n")] = '\0';
	out->verb = strsep(&at, " ");
	range = strsep(&at, " ");
	if (range == NULL)
		return EINVAL;
	out->word = at != NULL ? at : "";
	last = range;
	range = strsep(&last, "-");
	if (last == NULL)
		last = range;
	if (str_parse_uint(range, VMID_MAX, &numbers[0]) < 0 ||
		str_parse_uint(last, VMID_MAX, &numbers[1]) < 0)
		return EINVAL;
	out->first = (unsigned int)numbers[0];
	out->last = (unsigned int)numbers[1];
	return 0;
}

static void
say(int r)
{
	if (r == 0)
		(void)puts("ok");
	else
		(void)printf("error: %s\n", strerror(r));
	(void)fflush(stdout);
}

static void
obey_lines(struct fleet *f)
{
	auto_free char *text = NULL;
	size_t size = 0;

	while (getline(&text, &size, stdin) > 0) {
		struct line line;
		int r = parse(text, &line);

		if (r == 0)
			r = carry_out(f, &line);
		if (r == 0 && str_equal(line.verb, "storm")) {
			(void)printf("ok %" PRIu64 "\n", atomic_load(f->plan.sent));
			(void)fflush(stdout);
		} else {
			say(r);
		}
	}
}

struct wish {
	unsigned int vms;
	unsigned int first;
};

/* Returns the number, or ends the program. */
static unsigned int
number(const char *name, const char *text)
{
	uint64_t n;

	if (str_parse_uint(text, VMID_MAX, &n) < 0)
		errx(2, "--%s: not a number: %s", name, text);
	return (unsigned int)n;
}

static void
read_options(int argc, char **argv, struct fleet *f, struct wish *wish)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"vms", required_argument, NULL, 'n'},
		{"first", required_argument, NULL, 'f'},
		{"vcpus", required_argument, NULL, 'c'},
		{"max-vcpus", required_argument, NULL, 'm'},
		{"threads", required_argument, NULL, 't'},
		{"iothreads", required_argument, NULL, 'i'},
		{0},
	};
	unsigned int *const to[] = {['n'] = &wish->vms,
		['f'] = &wish->first,
		['c'] = &f->plan.vcpus,
		['m'] = &f->plan.vcpus_max,
		['t'] = &f->plan.threads,
		['i'] = &f->plan.iothreads};
	int which = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, &which)) >= 0) {
		if (opt == 'd') {
			f->plan.dir = optarg;
		} else if (opt == '?') {
			usage(stderr);
			exit(2);
		} else {
			*to[opt] = number(options[which].name, optarg);
		}
	}
	if (f->plan.dir == NULL || optind < argc) {
		usage(stderr);
		exit(2);
	}
	if (f->plan.vcpus_max < f->plan.vcpus)
		f->plan.vcpus_max = f->plan.vcpus;
}

/* All are told before the first is waited for: each takes its time. */
static void
sink(struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->ships[i].pid != 0)
			(void)kill(f->ships[i].pid, SIGKILL);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (f->ships[i].pid != 0)
			ship_reap(&f->ships[i]);
	}
	free(f->ships);
}

int
main(int argc, char **argv)
{
	struct fleet f = {.plan = {.vcpus = 8, .threads = 12, .iothreads = 1}};
	struct wish wish = {.first = 100};
	char why[128];

	f.plan.sent = mmap(NULL, sizeof(*f.plan.sent), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f.plan.sent == MAP_FAILED)
		err(1, "mmap");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	read_options(argc, argv, &f, &wish);
	if (room_make(wish.vms, wish.vms * f.plan.threads, why, sizeof(why)) < 0)
		errx(77, "cannot have so many: %s", why);
	say(wish.vms > 0 ? start(&f, wish.first, wish.first + wish.vms - 1) : 0);
	obey_lines(&f);
	sink(&f);
	return 0;
}
