// SPDX-License-Identifier: MIT
/*
 * Rivals for a VM's monitor: clients like Proxmox's tools, one or many at once, that
 * count what they suffer. One JSON object on stdout; exit status 1 when a command
 * failed. See usage().
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "client.h"
#include "plug.h"
#include "tally.h"

#define RIVALS_MAX 64u

enum opt {
	OPT_COUNT,
	OPT_SECONDS,
	OPT_RIVALS,
	OPT_TOGETHER,
	OPT_GAP,
	OPT_JITTER,
	OPT_HOLD,
	OPT_TIMEOUT,
	OPT_GONE,
	OPT_EXECUTE,
	OPT_GETFD,
	OPT_PLUG,
	OPT_LOOK,
	OPT_SEED,
	OPT_SAMPLES,
	N_OPTIONS,
};

static const struct option options[] = {
	[OPT_COUNT] = {"count", required_argument, NULL, OPT_COUNT},
	[OPT_SECONDS] = {"seconds", required_argument, NULL, OPT_SECONDS},
	[OPT_RIVALS] = {"rivals", required_argument, NULL, OPT_RIVALS},
	[OPT_TOGETHER] = {"together", no_argument, NULL, OPT_TOGETHER},
	[OPT_GAP] = {"gap-ms", required_argument, NULL, OPT_GAP},
	[OPT_JITTER] = {"jitter-ms", required_argument, NULL, OPT_JITTER},
	[OPT_HOLD] = {"hold-ms", required_argument, NULL, OPT_HOLD},
	[OPT_TIMEOUT] = {"timeout-ms", required_argument, NULL, OPT_TIMEOUT},
	[OPT_GONE] = {"gone-ms", required_argument, NULL, OPT_GONE},
	[OPT_EXECUTE] = {"execute", required_argument, NULL, OPT_EXECUTE},
	[OPT_GETFD] = {"getfd", required_argument, NULL, OPT_GETFD},
	[OPT_PLUG] = {"plug", required_argument, NULL, OPT_PLUG},
	[OPT_LOOK] = {"look", no_argument, NULL, OPT_LOOK},
	[OPT_SEED] = {"seed", required_argument, NULL, OPT_SEED},
	[OPT_SAMPLES] = {"samples", required_argument, NULL, OPT_SAMPLES},
	[N_OPTIONS] = {NULL, 0, NULL, 0},
};

struct plan {
	uint64_t values[N_OPTIONS]; /* of the options that are numbers or switches */
	const char *execute;
	const char *samples;
	enum client_fd order;
	char **paths;
	unsigned int n_paths;
};

/* What parent and rivals have in common. */
struct common {
	atomic_bool stop;
	bool last_round; /* written between two barriers, by one rival */
	pthread_barrier_t barrier;
};

/* Of a rival. */
struct rival {
	const struct plan *plan;
	struct common *common;
	struct tally *tally;
	struct client client;
	uint64_t random;
	uint64_t end_us; /* 0: by count */
};

static struct common *common_of_signal;

static void
on_signal(int number)
{
	(void)number;
	atomic_store(&common_of_signal->stop, true);
}

static int
usage(void)
{
	(void)fputs(
		"usage: rival [OPTION]... SOCKET...\n"
		"  --count N       commands on each socket, in turns (1); 0: no limit\n"
		"  --seconds S     end after that time; SIGTERM ends it too\n"
		"  --rivals K      so many at once, each does all of this (1)\n"
		"  --together      they begin each command at the same moment\n"
		"  --gap-ms G      pause before each command (0)\n"
		"  --jitter-ms J   and at most so much more (0)\n"
		"  --hold-ms H     stay connected so long after the reply (0)\n"
		"  --timeout-ms T  to connect, and for each reply (5000)\n"
		"  --gone-ms T     try again so long when nobody listens (0)\n"
		"  --execute NAME  the command (query-status)\n"
		"  --getfd WHERE   getfd and closefd in one connection instead; the\n"
		"                  descriptor comes with the first byte, the last, or\n"
		"                  with: all\n"
		"  --plug MS       plug a vCPU instead, and look at its mask so long until\n"
		"                  it has one CPU\n"
		"  --look          before each command see whether somebody is served\n"
		"  --seed N        of the jitter (1)\n"
		"  --samples FILE  one line a command: began_us took_us socket eagain held\n",
		stderr);
	return 2;
}

static int
set_order(struct plan *p, const char *text)
{
	static const char *const words[] = {[CLIENT_FD_WITH] = "with",
		[CLIENT_FD_FIRST] = "first",
		[CLIENT_FD_LAST] = "last"};

	for (unsigned int i = 0; i < ARRAY_LEN(words); i++)
		if (str_equal(text, words[i])) {
			p->order = i;
			return 0;
		}
	return -EINVAL;
}

static int
set_option(struct plan *p, int option)
{
	p->values[option] = 1;
	switch ((enum opt)option) {
	case OPT_TOGETHER:
	case OPT_LOOK:
		return 0;
	case OPT_EXECUTE:
		p->execute = optarg;
		return 0;
	case OPT_SAMPLES:
		p->samples = optarg;
		return 0;
	case OPT_GETFD:
		return set_order(p, optarg);
	default:
		return str_parse_uint(optarg, 1000000000, &p->values[option]);
	}
}

static int
read_options(int argc, char **argv, struct plan *p)
{
	int option;

	p->execute = "query-status";
	p->values[OPT_COUNT] = 1;
	p->values[OPT_RIVALS] = 1;
	p->values[OPT_TIMEOUT] = 5000;
	p->values[OPT_SEED] = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == '?' || set_option(p, option) < 0)
			return -EINVAL;
	p->paths = argv + optind;
	p->n_paths = (unsigned int)(argc - optind);
	if (p->n_paths == 0 || p->n_paths > UINT16_MAX || p->values[OPT_RIVALS] == 0 ||
		p->values[OPT_RIVALS] > RIVALS_MAX)
		return -EINVAL;
	return 0;
}

/* Uniform below @n; 0 for 0. xorshift64*, by Vigna. */
static uint64_t
random_below(struct rival *r, uint64_t n)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return n == 0 ? 0 : (r->random * 0x2545f4914f6cdd1dULL >> 11) % n;
}

static void
nap_us(uint64_t us)
{
	struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

	if (us > 0)
		(void)nanosleep(&t, NULL);
}

/* getfd, and a second command that needs the descriptor to be there. */
static int
pass_fd(struct client *c)
{
	auto_close int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	json_t *name = json_pack("{ss}", "fdname", "backup");

	if (client_run(c, "getfd", json_incref(name), fd, NULL) < 0) {
		json_decref(name);
		return -1;
	}
	return client_run(c, "closefd", name, -1, NULL);
}

static int
do_plug(struct rival *r, unsigned int socket)
{
	struct tally_plug plug = {.socket = socket};
	struct tally *t = r->tally;

	if (plug_one(&r->client, r->plan->paths[socket],
		    (unsigned int)r->plan->values[OPT_PLUG], &plug) < 0)
		return -1;
	if (t->n_plugs < TALLY_PLUGS_MAX)
		t->plugs[t->n_plugs++] = plug;
	return 0;
}

/* Connect, one command, close. */
static int
do_command(struct rival *r, unsigned int socket, uint64_t *answered_us)
{
	const struct plan *p = r->plan;
	int ret = client_open(&r->client, p->paths[socket]);

	if (ret == 0 && p->values[OPT_GETFD])
		ret = pass_fd(&r->client);
	else if (ret == 0)
		ret = client_run(&r->client, p->execute, NULL, -1, NULL);
	*answered_us = client_now_us();
	if (ret == 0)
		nap_us(p->values[OPT_HOLD] * 1000);
	client_close(&r->client);
	if (p->values[OPT_HOLD] == 0)
		*answered_us = client_now_us();
	return ret;
}

static void
one_turn(struct rival *r, unsigned int socket, bool held)
{
	struct tally_sample s = {.socket = (uint16_t)socket, .held = held};
	uint64_t answered_us;
	int ret;

	r->client.eagain = 0;
	s.began_us = client_now_us();
	if (r->plan->values[OPT_PLUG]) {
		ret = do_plug(r, socket);
		answered_us = client_now_us();
	} else {
		ret = do_command(r, socket, &answered_us);
	}
	s.took_us = (uint32_t)(answered_us - s.began_us);
	s.eagain = (uint8_t)(r->client.eagain < 255 ? r->client.eagain : 255);
	tally_add(r->tally, &s, ret < 0 ? r->client.why : NULL);
}

/* All rivals meet; false when it was the last time. */
static bool
meet(struct rival *r)
{
	struct common *c = r->common;

	if (pthread_barrier_wait(&c->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		c->last_round = atomic_load(&c->stop) ||
				(r->end_us != 0 && client_now_us() >= r->end_us);
	(void)pthread_barrier_wait(&c->barrier);
	return !c->last_round;
}

static bool
goes_on(struct rival *r)
{
	if (r->plan->values[OPT_TOGETHER])
		return meet(r);
	return !atomic_load(&r->common->stop) &&
	       (r->end_us == 0 || client_now_us() < r->end_us);
}

static void
compete(struct rival *r)
{
	const struct plan *p = r->plan;
	uint64_t count = p->values[OPT_COUNT] * p->n_paths;

	if (p->values[OPT_SECONDS] > 0)
		r->end_us = client_now_us() + p->values[OPT_SECONDS] * 1000000;
	for (uint64_t i = 0; count == 0 || i < count; i++) {
		unsigned int socket = (unsigned int)(i % p->n_paths);
		bool held;

		nap_us(p->values[OPT_GAP] * 1000 +
			random_below(r, p->values[OPT_JITTER] * 1000));
		held = p->values[OPT_LOOK] && client_sees_other(p->paths[socket]);
		if (!goes_on(r))
			break;
		one_turn(r, socket, held);
	}
}

static pid_t
start_rival(
	const struct plan *p, struct common *common, struct tally *t, unsigned int k)
{
	pid_t pid = fork();
	struct rival r = {.plan = p, .common = common, .tally = t};

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	r.client.timeout_ms = (unsigned int)p->values[OPT_TIMEOUT];
	r.client.gone_ms = (unsigned int)p->values[OPT_GONE];
	r.client.order = p->order;
	r.random = (p->values[OPT_SEED] * RIVALS_MAX + k + 1) * 0x9e3779b97f4a7c15ULL;
	compete(&r);
	_exit(0);
}

static int
wait_for_all(unsigned int n)
{
	int bad = 0;

	while (n > 0) {
		int status;

		if (wait(&status) < 0 && errno == EINTR)
			continue;
		bad |= status;
		n--;
	}
	return bad;
}

static int
report(const struct plan *p, const struct tally *t, unsigned int n)
{
	auto_json json_t *out = tally_report(t, n, p->paths);
	auto_free char *text = json_dumps(out, JSON_INDENT(1));

	(void)puts(text);
	if (p->samples != NULL) {
		FILE *f = fopen(p->samples, "we");

		if (f == NULL)
			return -errno;
		tally_write(t, n, f);
		if (fclose(f) != 0)
			return -errno;
	}
	return json_integer_value(json_object_get(out, "failed")) > 0;
}

static struct common *
common_new(unsigned int n)
{
	struct common *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;

	if (c == MAP_FAILED)
		return NULL;
	(void)pthread_barrierattr_init(&attr);
	(void)pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_barrier_init(&c->barrier, &attr, n);
	common_of_signal = c;
	return c;
}

int
main(int argc, char **argv)
{
	struct plan p = {0};
	struct sigaction stop = {.sa_handler = on_signal};
	struct common *common;
	struct tally *t;
	unsigned int n;
	int r;

	if (read_options(argc, argv, &p) < 0)
		return usage();
	n = (unsigned int)p.values[OPT_RIVALS];
	common = common_new(n);
	t = tally_new(n);
	if (common == NULL || t == NULL)
		return 1;
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGINT, &stop, NULL);
	for (unsigned int k = 0; k < n; k++)
		if (start_rival(&p, common, &t[k], k) < 0)
			return 1;
	r = wait_for_all(n);
	if (r != 0)
		(void)fputs("rival: one of them died\n", stderr);
	return report(&p, t, n) != 0 || r != 0;
}
