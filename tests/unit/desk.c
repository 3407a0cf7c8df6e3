// SPDX-License-Identifier: MIT
/* A client at a stage's daemon. */
#include "config.h"

#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "daemon/control.h"

int
desk_setup(void **state)
{
	struct desk *d = xcalloc(1, sizeof(*d));
	void *stage;

	assert_int_equal(stage_setup(&stage), 0);
	d->stage = stage;
	d->client = -1;
	*state = d;
	return 0;
}

int
desk_teardown(void **state)
{
	struct desk *d = *state;
	void *stage = d->stage;

	desk_close(d);
	(void)stage_teardown(&stage);
	free(d);
	return 0;
}

struct stage *
desk_stage(void **state)
{
	struct desk *d = *state;
	void *stage = d->stage;

	return stage_of(&stage);
}

void
desk_open(struct desk *d, const char *socket)
{
	struct stage *s = d->stage;
	struct err e = ERR_NONE;

	d->world.base = s->base;
	d->world.dirfd = s->run_dirfd;
	str_copy(d->world.dir, sizeof(d->world.dir), s->run_dir);
	assert_int_equal(control_new(s->engine, s->run_dir, &d->world.server, &e), 0);
	d->client = ctl_world_dial(&d->world, socket);
}

void
desk_close(struct desk *d)
{
	ctl_server_free(d->world.server);
	d->world.server = NULL;
	if (d->client >= 0)
		(void)close(d->client);
	d->client = -1;
}

struct desk *
desk_of_two(void **state, const char *settings)
{
	struct stage *s = desk_stage(state);

	s->vms[0] = standin_vm(s->vm_dir, 100, 2);
	stage_start_with(s, "100");
	stage_reload(s, settings);
	engine_add(s->engine, vm_new("101", 101, "/x.qmp", "/x.pid"));
	desk_open(*state, CTL_SOCKET_RO);
	return *state;
}

json_t *
desk_ask(struct desk *d, const char *method, const char *params)
{
	auto_free char *request = xasprintf(
		"{\"method\":\"io.qmpin.%s\",\"parameters\":%s}", method, params);
	json_t *reply;

	ctl_world_ask(&d->world, d->client, request);
	reply = ctl_world_read(&d->world, d->client);
	stage_settle(d->stage);
	return reply;
}

/* Steals @reply. */
static json_t *
take_params(json_t *reply, const char *method)
{
	json_t *params = json_incref(json_object_get(reply, "parameters"));
	char bad[64];

	if (json_object_get(reply, "error") != NULL) {
		auto_free char *text = json_dumps(reply, 0);

		fail_msg("%s: %s", method, text);
	}
	if (!idl_check(ctl_interface_text(), IDL_METHOD_OUT, method, params, bad,
		    sizeof(bad)))
		fail_msg("%s: %s", method, bad);
	json_decref(reply);
	return params;
}

json_t *
desk_expect(struct desk *d, const char *method, const char *params)
{
	return take_params(desk_ask(d, method, params), method);
}

json_t *
desk_read(struct desk *d, const char *method)
{
	return take_params(ctl_world_read(&d->world, d->client), method);
}
