// SPDX-License-Identifier: MIT
/* See pveworld.h. */
#include "config.h"

#include "pveworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "trees.h"

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

const struct pveworld_told *
pveworld_find(const struct pveworld *w, const char *name)
{
	for (size_t i = 0; i < w->n_told; i++) {
		if (strcmp(w->told[i].name, name) == 0)
			return &w->told[i];
	}
	return NULL;
}

static struct pveworld_told *
record(struct pveworld *w, const char *name)
{
	struct pveworld_told *t =
		(struct pveworld_told *)(uintptr_t)pveworld_find(w, name);

	if (t == NULL) {
		w->told = xgrow(w->told, w->n_told, &w->cap_told, sizeof(*w->told));
		t = &w->told[w->n_told++];
		*t = (struct pveworld_told){.text = NULL};
		str_copy(t->name, sizeof(t->name), name);
	}
	return t;
}

static void
on_text(void *owner, const char *name, const char *text, size_t len)
{
	struct pveworld *w = owner;
	struct pveworld_told *t = record(w, name);

	free(t->text);
	t->text = text != NULL ? xmemdupz(text, len) : NULL;
	t->len = len;
	t->times++;
	if (w->fragile)
		pvewatch_free(take_ptr(&w->watch));
}

static void
on_settled(void *owner)
{
	struct pveworld *w = owner;

	w->n_settled++;
}

static void
on_trouble(void *owner, const char *why)
{
	struct pveworld *w = owner;

	str_copy(w->trouble, sizeof(w->trouble), why != NULL ? why : "");
	w->n_troubles++;
}

static void
on_unread(void *owner, const char *name, const char *why)
{
	struct pveworld_told *t = record(owner, name);

	str_copy(t->unread, sizeof(t->unread), why != NULL ? why : "");
}

int
pveworld_setup(void **state)
{
	struct pveworld *w = xcalloc(1, sizeof(*w));

	(void)signal(SIGPIPE, SIG_IGN);
	w->dir = trees_new();
	w->base = event_base_new();
	*state = w;
	return w->base == NULL ? -1 : 0;
}

int
pveworld_teardown(void **state)
{
	struct pveworld *w = *state;

	pvewatch_free(w->watch);
	/* one that was left while it had something to do */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	event_base_free(w->base);
	trees_remove(w->dir);
	for (size_t i = 0; i < w->n_told; i++)
		free(w->told[i].text);
	free(w->told);
	free(w);
	return 0;
}

void
pveworld_start(
	struct pveworld *w, const char *program, const struct pvewatch_pace *pace)
{
	static const struct pvewatch_callbacks callbacks = {
		on_text, on_text, on_settled, on_trouble, on_unread};
	static const struct pvewatch_pace quick = {
		.poll_ms = 1, .deadline_ms = 30000, .retry_ms = 20, .retry_max_ms = 50};
	const char *build = getenv("QMPIN_BUILD");
	auto_free char *real =
		xasprintf("%s/src/qmpin-pve", build != NULL ? build : ".");
	struct err e = ERR_NONE;

	assert_int_equal(pvewatch_new(w->base, w->dir, program != NULL ? program : real,
				 &callbacks, w, &w->watch, &e),
		0);
	pvewatch_set_pace(w->watch, pace != NULL ? pace : &quick);
}

void
pveworld_until(struct pveworld *w, bool (*is_so)(struct pveworld *w, const char *arg),
	const char *arg)
{
	uint64_t end_us = now_us() + PVEWORLD_LIMIT_S * UINT64_C(1000000);
	const struct timespec moment = {0, 500000};

	while (!is_so(w, arg)) {
		uint64_t began_us = now_us();

		if (began_us > end_us)
			fail_msg("it does not come: %s (trouble: %s)",
				arg != NULL ? arg : "", w->trouble);
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
		began_us = now_us() - began_us;
		if (began_us > w->turn_us)
			w->turn_us = began_us;
		(void)nanosleep(&moment, NULL);
	}
}

void
pveworld_write(struct pveworld *w, const char *name, const char *text)
{
	auto_free char *path = xasprintf("etc/pve/%s", name);
	auto_free char *fresh = xasprintf("etc/pve/.%s.new", strrchr(path, '/') + 1);
	auto_free char *from = trees_path(w->dir, fresh);
	auto_free char *to = trees_path(w->dir, path);

	trees_write(w->dir, fresh, text);
	assert_int_equal(rename(from, to), 0);
}

bool
pveworld_says(struct pveworld *w, const char *arg)
{
	const char *equals = strchr(arg, '=');
	auto_free char *name =
		xmemdupz(arg, equals != NULL ? (size_t)(equals - arg) : strlen(arg));
	const struct pveworld_told *t = pveworld_find(w, name);

	return t != NULL && t->times > 0 &&
	       str_equal(t->text, equals != NULL ? equals + 1 : NULL);
}

bool
pveworld_cannot_read(struct pveworld *w, const char *name)
{
	const struct pveworld_told *t = pveworld_find(w, name);

	return t != NULL && t->unread[0] != '\0';
}

bool
pveworld_has_trouble(struct pveworld *w, const char *part)
{
	return part == NULL ? w->trouble[0] == '\0' : strstr(w->trouble, part) != NULL;
}

bool
pveworld_has_settled(struct pveworld *w, const char *times)
{
	return w->n_settled >= (unsigned int)atoi(times);
}

bool
pveworld_has_child(struct pveworld *w, const char *unused)
{
	auto_free char *path = xasprintf("/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	int pid = 0;

	(void)unused;
	assert_non_null(f);
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	(void)fclose(f);
	w->child = pid;
	return pid > 0;
}

bool
pveworld_has_no_child(struct pveworld *w, const char *unused)
{
	return !pveworld_has_child(w, unused);
}

void
pveworld_pass_looks(struct pveworld *w)
{
	static unsigned int n;
	char arg[64];

	for (unsigned int i = 0; i < 3; i++) {
		(void)snprintf(arg, sizeof(arg), "mark %u\n", n);
		pveworld_write(w, "datacenter.cfg", arg);
		(void)snprintf(arg, sizeof(arg), "datacenter.cfg=mark %u\n", n++);
		pveworld_until(w, pveworld_says, arg);
	}
}
