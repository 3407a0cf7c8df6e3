// SPDX-License-Identifier: MIT
/* One conversation with the daemon. */
#include "config.h"

#include "cli/session.h"

#include <errno.h>

#include "cli/out.h"
#include "ctl/client.h"

/* A busy daemon answers within a pass, well under a second; Release within 10 s. */
#define TIMEOUT_MS 15000

static enum cmd_exit
exit_of_call(int r)
{
	if (r == -EACCES)
		return CMD_NO_PERMISSION;
	return r == -ETIMEDOUT || r == -ECONNRESET ? CMD_NO_DAEMON : CMD_FAILED;
}

bool
session_is_there(const struct args *args)
{
	struct ctl_client *client;
	struct err unused = ERR_NONE;
	int r = ctl_client_new(args->run_dir, TIMEOUT_MS, &client, &unused);

	if (r == 0)
		ctl_client_free(client);
	return r != -ENOENT && r != -ECONNREFUSED;
}

enum cmd_exit
session_call(const struct args *args, const char *method, json_t *params, bool more,
	bool (*on_reply)(void *arg, const json_t *reply), void *arg)
{
	struct ctl_client *client;
	struct err e = ERR_NONE;
	int r;

	r = ctl_client_new(args->run_dir, TIMEOUT_MS, &client, &e);
	if (r < 0) {
		json_decref(params);
		out_error(&e);
		return r == -EACCES ? CMD_NO_PERMISSION : CMD_NO_DAEMON;
	}
	r = ctl_client_call(client, method, params, more, on_reply, arg, &e);
	ctl_client_free(client);
	if (r == 0)
		return CMD_OK;
	out_error(&e);
	return exit_of_call(r);
}

static bool
keep_reply(void *arg, const json_t *reply)
{
	json_t **out = arg;

	json_decref(*out);
	*out = json_deep_copy(reply);
	return true;
}

enum cmd_exit
session_ask(const struct args *args, const char *method, json_t *params, json_t **reply)
{
	return session_call(args, method, params, false, keep_reply, reply);
}
