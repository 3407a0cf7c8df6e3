// SPDX-License-Identifier: MIT
/* Calls that wait for VMs. Whatever happens to a VM ends its part of each call exactly
 * once. */
#include "config.h"

#include "daemon/pending.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/asker.h"
#include "daemon/engine.h"

struct part {
	char id[VM_ID_MAX];
	bool open; /* its end has not been told */
};

struct pending {
	struct pending *next;
	struct pending_list *list;
	struct ctl_call *call; /* lives until it is answered */
	struct event *deadline;
	json_t *done;
	json_t *failed;
	size_t n_open; /* and one more until pending_begin() */
	size_t n;
	struct part parts[];
};

struct vm *
pending_vm(const struct engine *e, struct ctl_call *call, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "id"));
	struct vm *vm = id != NULL ? engine_find(e, id) : NULL;

	if (id == NULL)
		ctl_invalid(call, "id");
	else if (vm == NULL)
		ctl_vm_not_found(call, id);
	return vm;
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

static bool
has_vm(struct vm *const *vms, size_t n, const struct vm *vm)
{
	for (size_t i = 0; i < n; i++) {
		if (vms[i] == vm)
			return true;
	}
	return false;
}

bool
pending_vms(struct engine *e, struct ctl_call *call, const json_t *params,
	struct vm ***vms, size_t *n)
{
	const json_t *ids = json_object_get(params, "ids");
	const char *unknown = find_unknown(e, ids);
	bool all = !json_is_array(ids); /* which is not the same as an empty list */
	size_t n_ids = all ? e->n_vms : json_array_size(ids);

	if (unknown != NULL) {
		ctl_vm_not_found(call, unknown);
		return false;
	}
	*vms = xcalloc(n_ids, sizeof(**vms));
	*n = 0;
	for (size_t i = 0; i < n_ids; i++) {
		struct vm *vm =
			all ? e->vms[i]
			    : engine_find(e, json_string_value(json_array_get(ids, i)));

		if (all || !has_vm(*vms, *n, vm))
			(*vms)[(*n)++] = vm;
	}
	return true;
}

bool
pending_changes(struct engine *e, struct ctl_call *call, const char *what,
	const json_t *params, struct vm ***vms, size_t *n)
{
	if (!pending_vms(e, call, params, vms, n))
		return false;
	if (e->dry_run) {
		ctl_failed(call, "dry run: nothing is changed");
		free(*vms);
		return false;
	}
	asker_log(e, call, LOG_NOTICE, "%s of %zu VM%s", what, *n, *n == 1 ? "" : "s");
	return true;
}

/* Take out of its list, answer, free. */
static void
answer(struct pending *p)
{
	struct pending **at = &p->list->first;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	event_free(p->deadline);
	ctl_reply(p->call,
		json_pack("{s:o, s:o}", p->list->done, p->done, "failed", p->failed),
		false);
	free(p);
}

static void
close_part(struct pending *p, struct part *part, const char *why)
{
	if (why != NULL)
		json_array_append_new(p->failed, json_sprintf("%s: %s", part->id, why));
	part->open = false;
	p->n_open--;
}

static void
answer_late(struct pending *p, const char *why)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->parts[i].open)
			close_part(p, &p->parts[i], why);
	}
	answer(p);
}

static void
on_pending_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;

	(void)fd;
	(void)what;
	answer_late(p, p->list->late);
}

struct pending *
pending_new(struct pending_list *list, struct engine *e, struct ctl_call *call,
	struct vm *const *vms, size_t n, unsigned int ms)
{
	struct pending *p = xcalloc(1, sizeof(*p) + n * sizeof(p->parts[0]));
	struct timeval limit = clock_timeval_ms(ms);

	p->list = list;
	p->call = call;
	p->done = json_array();
	p->failed = json_array();
	p->deadline = evtimer_new(e->base, on_pending_deadline, p);
	evtimer_add(p->deadline, &limit);
	for (size_t i = 0; i < n; i++) {
		str_copy(p->parts[i].id, VM_ID_MAX, vms[i]->id);
		p->parts[i].open = true;
	}
	p->n = n;
	p->n_open = n + 1;
	p->next = list->first;
	list->first = p;
	return p;
}

void
pending_begin(struct pending *p)
{
	if (--p->n_open == 0)
		answer(p);
}

static struct part *
find_open(struct pending *p, const char *id)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->parts[i].open && str_equal(p->parts[i].id, id))
			return &p->parts[i];
	}
	return NULL;
}

bool
pending_has(const struct pending_list *list, const char *id)
{
	for (struct pending *p = list->first; p != NULL; p = p->next) {
		if (find_open(p, id) != NULL)
			return true;
	}
	return false;
}

void
pending_add(struct pending_list *list, const char *id, json_t *item)
{
	for (struct pending *p = list->first; p != NULL; p = p->next) {
		if (find_open(p, id) != NULL)
			json_array_append(p->done, item);
	}
	json_decref(item);
}

void
pending_close(struct pending_list *list, const char *id, const char *why)
{
	struct pending *next;

	for (struct pending *p = list->first; p != NULL; p = next) {
		struct part *part = find_open(p, id);

		next = p->next;
		if (part != NULL)
			close_part(p, part, why);
		if (p->n_open == 0)
			answer(p);
	}
}

void
pending_stop(struct pending_list *list, const char *why)
{
	while (list->first != NULL)
		answer_late(list->first, why); /* NOLINT(clang-analyzer-unix.Malloc) */
}
