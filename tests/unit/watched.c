// SPDX-License-Identifier: MIT
/* A discovery and its owner, for tests. */
#include "config.h"

#include "watched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "procs.h"

#define DEADLINE_S 20

static void
note(struct watched *f, const char *word)
{
	strbuf_addf(&f->log, "%s ", word);
	if (str_equal(word, f->free_on)) {
		discovery_free(f->d);
		f->d = NULL;
	}
	if (str_equal(word, f->drop_on)) {
		watched_drop(f, "104.qmp");
		discovery_rescan(f->d);
	}
}

static void
on_found(void *owner, const struct discovered *found)
{
	struct watched *f = owner;
	auto_free char *socket_path = xasprintf("%s/%s.qmp", f->dir, found->id);
	auto_free char *pid_path = xasprintf("%s/%s.pid", f->dir, found->id);
	auto_free char *word = xasprintf("%c%s", found->fresh ? '*' : '+', found->id);
	auto_free char *id = xasprintf("%d", found->vmid);

	assert_string_equal(found->socket_path, socket_path);
	assert_string_equal(found->pid_path, pid_path);
	assert_string_equal(found->id, id);
	f->n_found++;
	note(f, word);
}

static void
on_lost(void *owner, const char *id)
{
	struct watched *f = owner;
	auto_free char *word = xasprintf("-%s", id);

	f->n_lost++;
	note(f, word);
}

static void
on_trouble(void *owner, const struct err *why)
{
	struct watched *f = owner;

	f->n_trouble++;
	(void)err_format(why, f->trouble, sizeof(f->trouble));
	note(f, "!");
}

const struct discovery_handlers watched_handlers = {on_found, on_lost, on_trouble};

int
watched_set_up(void **state)
{
	struct watched *f = xcalloc(1, sizeof(*f));

	f->top = procs_make_dir();
	f->dir = xasprintf("%s/vms", f->top);
	f->base = event_base_new();
	f->d = discovery_new(f->base, f->dir, &watched_handlers, f);
	*state = f;
	return 0;
}

int
watched_tear_down(void **state)
{
	struct watched *f = *state;

	discovery_free(f->d);
	event_base_free(f->base);
	procs_remove_dir(f->top);
	free(f->dir);
	strbuf_fini(&f->log);
	free(f);
	return 0;
}

static void
on_deadline(int fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	*(bool *)owner = true;
}

void
watched_expect(struct watched *f, const char *want)
{
	bool late = false;
	struct event *deadline = evtimer_new(f->base, on_deadline, &late);
	struct timeval in = {.tv_sec = DEADLINE_S};

	evtimer_add(deadline, &in);
	while (!str_equal(strbuf_text(&f->log), want) && !late)
		event_base_loop(f->base, EVLOOP_ONCE);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	event_free(deadline);
	assert_string_equal(strbuf_text(&f->log), want);
	strbuf_drop(&f->log, f->log.len);
}

void
watched_expect_now(struct watched *f, bool dispatch, const char *want)
{
	if (dispatch)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_string_equal(strbuf_text(&f->log), want);
	strbuf_drop(&f->log, f->log.len);
}

void
watched_bind(const struct watched *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(bind(fd, (const void *)&sa, sizeof(sa)), 0);
}

void
watched_node(const struct watched *f, const char *name, mode_t type)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(mknod(path, type | 0600, 0), 0);
}

void
watched_move(const struct watched *f, const char *from, const char *to)
{
	auto_free char *a = xasprintf("%s/%s", f->dir, from);
	auto_free char *b = xasprintf("%s/%s", f->dir, to);

	assert_int_equal(rename(a, b), 0);
}

void
watched_drop(const struct watched *f, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", f->dir, name);

	assert_int_equal(unlink(path), 0);
}

void
watched_make_dir(const struct watched *f)
{
	assert_int_equal(mkdir(f->dir, 0700), 0);
}
