// SPDX-License-Identifier: MIT
/*
 * Calls of Release that wait for monitors. A call knows its VMs by id; whatever happens
 * to one of them ends its part of each call exactly once.
 */
#include "config.h"

#include "daemon/release.h"

#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/engine.h"

struct part {
	char id[VM_ID_MAX];
	bool open; /* its end has not been told */
};

struct release {
	struct release *next;
	struct engine *engine;
	struct ctl_call
		*call; /* lives until it is answered, whatever the client does */
	struct event *deadline;
	json_t *released;
	json_t *failed;
	size_t n_open;
	size_t n;
	struct part parts[];
};

/* Take out of the engine's list, answer, free. */
static void
answer(struct release *r)
{
	struct release **at = &r->engine->releases;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	event_free(r->deadline);
	ctl_reply(r->call,
		json_pack("{s:o, s:o}", "released", r->released, "failed", r->failed),
		false);
	free(r);
}

/* @why NULL: it is released. */
static void
close_part(struct release *r, struct part *part, const char *why)
{
	json_t *text = why == NULL ? json_string(part->id)
				   : json_sprintf("%s: %s", part->id, why);

	json_array_append_new(why == NULL ? r->released : r->failed, text);
	part->open = false;
	r->n_open--;
}

static struct part *
find_open(struct release *r, const char *id)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->parts[i].open && str_equal(r->parts[i].id, id))
			return &r->parts[i];
	}
	return NULL;
}

static void
close_everywhere(struct engine *e, const char *id, const char *why)
{
	struct release *next;

	for (struct release *r = e->releases; r != NULL; r = next) {
		struct part *part = find_open(r, id);

		next = r->next;
		if (part != NULL)
			close_part(r, part, why);
		if (r->n_open == 0)
			answer(r);
	}
}

void
release_ended(struct engine *e, const struct vm *vm, int err, const struct err *why)
{
	char text[512];

	if (err < 0 && err_is_set(why))
		close_everywhere(e, vm->id, err_format(why, text, sizeof(text)));
	else
		close_everywhere(e, vm->id, err < 0 ? strerror(-err) : NULL);
}

void
release_lost(struct engine *e, const struct vm *vm)
{
	struct pollfd end = {.fd = vm->identity.pidfd, .events = POLLIN};
	bool lives = vm->proven && poll(&end, 1, 0) == 0;

	/* with a process goes all that was added to it */
	close_everywhere(e, vm->id,
		lives ? "its socket was replaced meanwhile, try again" : NULL);
}

static void
answer_late(struct release *r, const char *why)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->parts[i].open)
			close_part(r, &r->parts[i], why);
	}
	answer(r);
}

static void
on_release_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer_late(arg, "no answer yet: its monitor is in use, or QEMU hangs");
}

void
release_stop(struct engine *e)
{
	while (e->releases != NULL)
		answer_late(e->releases, "qmpind ends");
}

static struct release *
release_new(struct engine *e, struct ctl_call *call, size_t n_max)
{
	struct release *r = xcalloc(1, sizeof(*r) + n_max * sizeof(r->parts[0]));
	struct timeval limit = {.tv_sec = e->release_ms / 1000,
		.tv_usec = (suseconds_t)(e->release_ms % 1000) * 1000};

	r->engine = e;
	r->call = call;
	r->released = json_array();
	r->failed = json_array();
	r->deadline = evtimer_new(e->base, on_release_deadline, r);
	evtimer_add(r->deadline, &limit);
	return r;
}

/* Once each, however often it was named. */
static void
add_part(struct release *r, const struct vm *vm)
{
	if (find_open(r, vm->id) != NULL)
		return;
	str_copy(r->parts[r->n].id, VM_ID_MAX, vm->id);
	r->parts[r->n++].open = true;
	r->n_open++;
}

static bool
is_under_way(const struct engine *e, const char *id)
{
	for (struct release *r = e->releases; r != NULL; r = r->next) {
		if (find_open(r, id) != NULL)
			return true;
	}
	return false;
}

/* The first VM that does not exist, or NULL. */
static const char *
find_unknown(const struct engine *e, const json_t *ids)
{
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (engine_find(e, id) == NULL)
			return id;
	}
	return NULL;
}

/* The named ones; all when none is named, which is not the same as an empty list. */
static void
add_parts(struct release *r, const json_t *ids)
{
	const struct engine *e = r->engine;

	for (size_t i = 0; i < json_array_size(ids); i++)
		add_part(r, engine_find(e, json_string_value(json_array_get(ids, i))));
	for (size_t i = 0; !json_is_array(ids) && i < e->n_vms; i++)
		add_part(r, e->vms[i]);
}

/* Ask the monitors, except those that were asked by another call and are at it. @r is
 * in the list before, as one may answer at once. */
static void
begin(struct release *r)
{
	struct engine *e = r->engine;
	bool *asked = xcalloc(r->n, sizeof(*asked));

	for (size_t i = 0; i < r->n; i++)
		asked[i] = is_under_way(e, r->parts[i].id);
	r->n_open++; /* not answered before the last one is asked */
	r->next = e->releases;
	e->releases = r;
	for (size_t i = 0; i < r->n; i++) {
		struct vm *vm = engine_find(e, r->parts[i].id);

		if (vm->state == VM_GONE)
			close_part(r, &r->parts[i], NULL);
		else if (!asked[i])
			monitor_release(vm->monitor);
	}
	free(asked);
	if (--r->n_open == 0)
		answer(r);
}

void
release_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	const json_t *ids = json_object_get(params, "ids");
	const char *unknown = find_unknown(e, ids);
	const struct ctl_peer *peer = ctl_call_peer(call);
	size_t n = json_is_array(ids) ? json_array_size(ids) : e->n_vms;
	struct release *r;

	if (unknown != NULL) {
		ctl_error(call, "VMNotFound", json_pack("{s:s}", "id", unknown));
		return;
	}
	if (e->dry_run) {
		ctl_error(call, "Failed",
			json_pack("{s:s}", "why", "dry run: nothing is changed"));
		return;
	}
	r = release_new(e, call, n);
	add_parts(r, ids);
	log_notice("release of %zu VM%s: asked for by process %d of user %u", r->n,
		r->n == 1 ? "" : "s", (int)peer->pid, (unsigned int)peer->uid);
	begin(r);
}
