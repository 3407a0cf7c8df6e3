// SPDX-License-Identifier: MIT
/* Method Probe as a stream of progress. */
#include "config.h"

#include "cli/probedaemon.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/progress.h"
#include "ctl/client.h"

/* Of one step: progress comes much more often. */
#define TIMEOUT_MS 120000

/* Pairs of CPUSET_CAP CPUs are fewer. */
#define PAIRS_MAX 10000000
#define VISITS_MAX UINT32_MAX

struct watch {
	struct progress bar;
	bool done;
};

/* How far it is: by visits, or by pairs where it does not tell visits. */
static void
show(struct watch *w, const json_t *reply, const char *what)
{
	uint64_t pairs = 0;
	uint64_t pairs_total = 0;
	uint64_t done;
	uint64_t total;

	/* what is missing or odd is not shown */
	if (json_get_uint(reply, "pairs", PAIRS_MAX, &pairs) < 0 ||
		json_get_uint(reply, "pairs_total", PAIRS_MAX, &pairs_total) < 0)
		return;
	auto_free char *text = xasprintf("%llu of %llu pairs, %s",
		(unsigned long long)pairs, (unsigned long long)pairs_total, what);
	if (json_get_uint(reply, "visits", VISITS_MAX, &done) < 0 ||
		json_get_uint(reply, "visits_total", VISITS_MAX, &total) < 0) {
		done = pairs;
		total = pairs_total;
	}
	progress_show(&w->bar, done, total, text);
}

static bool
on_reply_probe(void *arg, const json_t *reply)
{
	struct watch *w = arg;
	const char *what = "";
	int done = 0;

	if (json_get_bool(reply, "done", &done) < 0 ||
		json_get_string(reply, "text", &what) < 0)
		return true;
	if (done != 0)
		w->done = true;
	else
		show(w, reply, what);
	return true;
}

static json_t *
make_params(const struct args *args)
{
	json_t *params = json_object();

	if (args->cpus != NULL)
		json_object_set_new(params, "cpus", json_string(args->cpus));
	if (args->budget_s > 0)
		json_object_set_new(params, "budget_s", json_real(args->budget_s));
	if (args->exhaustive)
		json_object_set_new(params, "exhaustive", json_true());
	return params;
}

int
probedaemon_run(const struct args *args, const struct stop *stop, struct err *e)
{
	struct watch w = {.done = false};
	struct ctl_client *client;
	int r = ctl_client_new(args->run_dir, TIMEOUT_MS, &client, e);

	if (r < 0)
		return r;
	ctl_client_stop_on(client, stop->fd);
	r = ctl_client_call(
		client, "Probe", make_params(args), true, on_reply_probe, &w, e);
	ctl_client_free(client);
	progress_erase(&w.bar);
	if (r == 0 && !w.done)
		return err_set(e, -EPROTO, NULL, 0,
			"qmpind says neither that it measures nor that it has");
	return r;
}
