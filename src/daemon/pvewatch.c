// SPDX-License-Identifier: MIT
/*
 * What is wanted of /etc/pve and what was told of it; when to look, and what to think
 * of a child that does not answer. There is one child at a time: one that hangs is not
 * followed by another before it is gone, so that a dead file system collects no
 * processes. Of texts only hashes are kept.
 */
#include "config.h"

#include "daemon/pvewatch.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/pveknown.h"
#include "daemon/pverun.h"
#include "host/mounts.h"
#include "qmp/backoff.h"

#define POLL_MS 2000u
#define DEADLINE_MS 5000u
#define RETRY_MS 1000u
#define RETRY_MAX_MS 300000u

#define STAYS "the last known configurations stay"

struct pvewatch {
	struct event_base *base;
	char *dir;
	char *program;
	const struct pvewatch_callbacks *callbacks;
	void *owner;
	struct pvewatch_pace pace;
	struct pverun *run;	/* NULL: none, not even one that is dying */
	bool dying;		/* run was ended */
	bool overdue;		/* it is time for the next one */
	bool asked;		/* it owes an answer */
	bool again;		/* look once more after that */
	bool all;		/* at everything */
	struct event *turn;	/* the next look or try */
	struct event *patience; /* of those who wait for what is awaited */
	bool waiting;		/* on_settled is owed */
	unsigned int failures;
	uint64_t started_us; /* the last try */
	bool absent;	     /* the last try found nothing */
	bool was_there;	     /* some time */
	bool silent;	     /* it should be there, and nothing is heard of it */
	char trouble[512];   /* that was told; "": none */
	struct pveknown known;
	unsigned int busy; /* inside so many of our functions that call back */
	bool doomed;	   /* freed by its owner meanwhile */
};

static void
set_timer(struct event *timer, uint64_t ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	(void)event_add(timer, &tv);
}

const char *
pvewatch_program(void)
{
	const char *other = getenv(PVEWATCH_PROGRAM_ENV);

	return other != NULL && *other != '\0' ? other : PVE_PROGRAM;
}

static void
release(struct pvewatch *w)
{
	pveknown_fini(&w->known);
	free(w->program);
	free(w->dir);
	free(w);
}

void
pvewatch_free(struct pvewatch *w)
{
	if (w == NULL)
		return;
	pverun_free(w->run);
	w->run = NULL;
	event_free(w->turn);
	event_free(w->patience);
	w->doomed = true;
	if (w->busy == 0)
		release(w);
}

static void
enter(struct pvewatch *w)
{
	w->busy++;
}

static void
leave(struct pvewatch *w)
{
	if (--w->busy == 0 && w->doomed)
		release(w);
}

/* ---- what is wanted ---- */

/* NULL: it is no VMID, or not wanted. */
static struct pveknown_file *
find(struct pvewatch *w, const char *id)
{
	unsigned int vmid;

	return pvefeed_vmid_parse(id, &vmid) == 0 ? pveknown_find(&w->known, vmid)
						  : NULL;
}

/* How long until another try where there was nothing. */
static uint64_t
spacing_ms(const struct pvewatch *w)
{
	uint64_t past_us = clock_now_us(clock_system()) - w->started_us;
	uint64_t least_us = (uint64_t)w->pace.retry_ms * 1000;

	return past_us < least_us ? (least_us - past_us + 999) / 1000 : 0;
}

/* Not after a child that hangs, nor where there was nothing just now. */
static void
await(struct pvewatch *w, struct pveknown_file *file)
{
	if (w->failures > 0 && (!w->absent || spacing_ms(w) > 0))
		return;
	if (!w->waiting)
		set_timer(w->patience, w->pace.deadline_ms);
	w->waiting = true;
	pveknown_await(&w->known, file);
}

/* Soon: more may be added in this turn of the loop. */
static void
look_soon(struct pvewatch *w)
{
	if (w->asked)
		w->again = true;
	else if (w->failures == 0)
		set_timer(w->turn, 0);
	else if (w->absent)
		set_timer(w->turn, spacing_ms(w));
}

void
pvewatch_add(struct pvewatch *w, const char *id)
{
	struct pveknown_file *file;
	unsigned int vmid;

	if (pvefeed_vmid_parse(id, &vmid) < 0)
		return;
	file = pveknown_add(&w->known, vmid);
	if (file == NULL)
		return;
	await(w, file);
	look_soon(w);
}

void
pvewatch_remove(struct pvewatch *w, const char *id)
{
	struct pveknown_file *file = find(w, id);

	if (file == NULL)
		return;
	if (file->told && w->run != NULL)
		pverun_tell(w->run, PVEFEED_REMOVE, file->subject);
	pveknown_remove(&w->known, file);
}

bool
pvewatch_awaits(struct pvewatch *w, const char *id)
{
	const struct pveknown_file *file = find(w, id);

	return file != NULL && file->awaited;
}

bool
pvewatch_is_silent(struct pvewatch *w, const char *id)
{
	const struct pveknown_file *file = find(w, id);

	return w->silent && file != NULL && file->what == PVEKNOWN_NOTHING &&
	       !file->unread;
}

void
pvewatch_look(struct pvewatch *w)
{
	w->all = true;
	if (w->asked)
		w->again = true;
	else
		set_timer(w->turn, 0);
}

/* ---- what is told ---- */

/* What is not known by now will not be in time. */
static void
settle(struct pvewatch *w)
{
	bool waiting = w->waiting;

	pveknown_settle(&w->known, false);
	(void)event_del(w->patience);
	w->waiting = false;
	if (waiting)
		w->callbacks->on_settled(w->owner);
}

static void
set_trouble(struct pvewatch *w, const char *text)
{
	if (strcmp(w->trouble, text) == 0)
		return;
	str_copy(w->trouble, sizeof(w->trouble), text);
	w->callbacks->on_trouble(w->owner, *text != '\0' ? w->trouble : NULL);
}

static void
tell_unread(struct pvewatch *w, unsigned int id, const char *why)
{
	char name[PVEFEED_NAME_MAX];
	char text[200];

	if (w->callbacks->on_unread == NULL)
		return;
	if (why != NULL)
		str_escape(why, strlen(why), text, sizeof(text));
	w->callbacks->on_unread(
		w->owner, pvefeed_name(id, name), why != NULL ? text : NULL);
}

/* @text NULL: it is not there. */
static void
tell_text(struct pvewatch *w, unsigned int id, const char *text, size_t len)
{
	char name[PVEFEED_NAME_MAX];

	pvefeed_name(id, name);
	if (id < PVEFEED_FILES)
		w->callbacks->on_cluster(w->owner, name, text, len);
	else
		w->callbacks->on_vm(w->owner, name, text, len);
}

/* A child that has just started tells what was known before. */
static void
take_text(struct pvewatch *w, const struct pvefeed_message *m)
{
	struct pveknown_file *file = pveknown_find(&w->known, m->subject);
	const char *text = m->kind == PVEFEED_TEXT ? m->text : NULL;
	bool was_unread = file != NULL && file->unread;
	bool news = file != NULL && pveknown_take(&w->known, file, text, m->len);

	if (was_unread)
		tell_unread(w, m->subject, NULL);
	if (news && !w->doomed)
		tell_text(w, m->subject, text, m->len);
}

static void
take_unread(struct pvewatch *w, const struct pvefeed_message *m)
{
	struct pveknown_file *file = pveknown_find(&w->known, m->subject);

	if (file == NULL)
		return;
	pveknown_stop_awaiting(&w->known, file);
	file->unread = true;
	tell_unread(w, m->subject, m->text);
}

/* ---- its child ---- */

static void
forget_child(struct pvewatch *w)
{
	w->dying = w->run != NULL;
	w->asked = false;
	w->again = false;
	pveknown_forget_child(&w->known);
	w->failures++;
	set_timer(w->turn,
		backoff_ms(w->failures, w->pace.retry_ms, w->pace.retry_max_ms, 0));
}

/* @why NULL: it does not answer. */
static void
fail(struct pvewatch *w, const char *why)
{
	char text[sizeof(w->trouble)];

	w->absent = false;
	w->silent = mounts_has(w->dir);
	forget_child(w);
	if (why == NULL)
		str_copy(text, sizeof(text), "/etc/pve does not answer: " STAYS);
	else
		(void)snprintf(
			text, sizeof(text), "/etc/pve is not read: %s; " STAYS, why);
	set_trouble(w, text);
	if (!w->doomed)
		settle(w);
}

/* A host that has nothing to do with Proxmox is not spoken of. */
static void
take_absent(struct pvewatch *w, const char *why)
{
	char text[sizeof(w->trouble)] = "";
	char safe[200];

	w->silent = w->was_there || *why != '\0'; /* its directory is */
	if (*why == '\0')
		why = "it is not there";
	else if (w->known.n_vms > 0)
		w->was_there = true;
	if (w->was_there)
		(void)snprintf(text, sizeof(text), "/etc/pve is not read: %s; " STAYS,
			str_escape(why, strlen(why), safe, sizeof(safe)));
	pverun_end(w->run);
	w->absent = true;
	forget_child(w);
	set_trouble(w, text);
	if (!w->doomed)
		settle(w);
}

static void
take_done(struct pvewatch *w)
{
	w->asked = false;
	w->absent = false;
	w->was_there = true;
	w->silent = false;
	w->failures = 0;
	pverun_expect(w->run, 0);
	set_timer(w->turn, w->again ? 0 : w->pace.poll_ms);
	pveknown_settle(&w->known, true);
	set_trouble(w, "");
	if (!w->doomed && w->known.n_awaited == 0)
		settle(w);
}

static void
handle(struct pvewatch *w, const struct pvefeed_message *m)
{
	switch (m->kind) {
	case PVEFEED_TEXT:
	case PVEFEED_NONE:
		take_text(w, m);
		break;
	case PVEFEED_UNREAD:
		take_unread(w, m);
		break;
	case PVEFEED_ABSENT:
		take_absent(w, m->text);
		break;
	case PVEFEED_DONE:
		take_done(w);
		break;
	case PVEFEED_BUSY:
		break;
	default:
		pverun_end(w->run);
		fail(w, "qmpin-pve speaks out of turn");
	}
}

static void
on_run_message(void *owner, const struct pvefeed_message *m)
{
	struct pvewatch *w = owner;

	enter(w);
	handle(w, m);
	leave(w);
}

static void
on_run_end(void *owner, const char *why)
{
	struct pvewatch *w = owner;

	enter(w);
	fail(w, why);
	leave(w);
}

static void
on_run_gone(void *owner)
{
	struct pvewatch *w = owner;

	pverun_free(w->run);
	w->run = NULL;
	w->dying = false;
	if (w->overdue)
		set_timer(w->turn, 0);
	w->overdue = false;
}

static int
start(struct pvewatch *w, struct err *e)
{
	static const struct pverun_handlers handlers = {
		on_run_message, on_run_end, on_run_gone};

	struct pverun_options o = {w->base, w->program, w->dir};

	w->started_us = clock_now_us(clock_system());
	return pverun_new(&o, &handlers, w, &w->run, e);
}

static void
ask(struct pvewatch *w)
{
	for (size_t i = 0; i < w->known.n_vms; i++) {
		struct pveknown_file *file = &w->known.vms[i];

		if (!file->told)
			pverun_tell(w->run, PVEFEED_ADD, file->subject);
		file->told = true;
	}
	pverun_tell(w->run, w->all ? PVEFEED_READ : PVEFEED_LOOK, 0);
	pverun_expect(w->run, w->pace.deadline_ms);
	w->asked = true;
	w->again = false;
	w->all = false;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct pvewatch *w = arg;
	struct err e = ERR_NONE;

	(void)fd;
	(void)what;
	if (w->dying) {
		w->overdue = true;
		return;
	}
	enter(w);
	if (w->run == NULL && start(w, &e) < 0)
		fail(w, e.text);
	else if (!w->asked)
		ask(w);
	leave(w);
}

static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct pvewatch *w = arg;

	(void)fd;
	(void)what;
	enter(w);
	if (w->asked)
		w->silent = mounts_has(w->dir);
	settle(w);
	leave(w);
}

void
pvewatch_set_pace(struct pvewatch *w, const struct pvewatch_pace *pace)
{
	w->pace = *pace;
	if (w->pace.poll_ms == 0)
		w->pace.poll_ms = POLL_MS;
	if (w->pace.deadline_ms == 0)
		w->pace.deadline_ms = DEADLINE_MS;
	if (w->pace.retry_ms == 0)
		w->pace.retry_ms = RETRY_MS;
	if (w->pace.retry_max_ms == 0)
		w->pace.retry_max_ms = RETRY_MAX_MS;
	set_timer(w->patience, w->pace.deadline_ms);
}

int
pvewatch_new(struct event_base *base, const char *root, const char *program,
	const struct pvewatch_callbacks *callbacks, void *owner, struct pvewatch **out,
	struct err *e)
{
	struct pvewatch *w = xcalloc(1, sizeof(*w));

	w->turn = evtimer_new(base, on_turn, w);
	w->patience = evtimer_new(base, on_patience, w);
	if (w->turn == NULL || w->patience == NULL)
		abort(); /* no memory, as in xcalloc */
	w->base = base;
	w->dir = xasprintf("%s/etc/pve", root);
	w->program = xstrdup(program);
	w->callbacks = callbacks;
	w->owner = owner;
	pveknown_init(&w->known);
	w->waiting = true; /* also when nothing is added */
	pvewatch_set_pace(w, &(struct pvewatch_pace){0});
	set_timer(w->turn, 0);
	*out = w;
	(void)e;
	return 0;
}
