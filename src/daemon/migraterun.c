// SPDX-License-Identifier: MIT
/*
 * Lines of the program, read as they come. One that says something else than it should,
 * or nothing for long, is ended. Invariant: it is freed only when the program has gone,
 * so never below a callback that was given its words.
 */
#include "config.h"

#include "daemon/migraterun.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "probe/child.h"

#define LINE_BYTES_MAX 256u
/* It reports every second, unless a slice of 1 GiB pages takes longer. */
#define SILENCE_S 60

struct migraterun {
	struct child child;
	struct event *readable;
	struct event *silence;
	struct event *exited; /* its pidfd; added when it is to end */
	char line[LINE_BYTES_MAX];
	size_t len;
	struct migraterun_progress last;
	const struct migraterun_handlers *handlers;
	void *owner;
	bool ended; /* no handler is called any more */
};

static const char *
program(void)
{
	const char *other = getenv(MIGRATERUN_PROGRAM_ENV);

	return other != NULL && *other != '\0' ? other : MIGRATE_PROGRAM;
}

static void
be_deaf(struct migraterun *r)
{
	r->ended = true;
	(void)event_del(r->readable);
	(void)event_del(r->silence);
}

void
migraterun_free(struct migraterun *r)
{
	if (r == NULL)
		return;
	be_deaf(r);
	child_stop(&r->child);
	event_free(r->readable);
	event_free(r->silence);
	event_free(r->exited);
	free(r);
}

/* It has gone: there is nothing to wait for. */
static void
on_child_exited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	migraterun_free(arg);
}

void
migraterun_end(struct migraterun *r)
{
	if (r == NULL)
		return;
	be_deaf(r);
	child_kill(&r->child);
	/* where the kernel cannot tell when it is gone, that is waited for at once */
	if (event_add(r->exited, NULL) < 0)
		event_active(r->exited, EV_READ, 0);
}

static void
listen_for_sound(struct migraterun *r)
{
	struct timeval tv = {SILENCE_S, 0};

	(void)event_add(r->silence, &tv);
}

static void
end(struct migraterun *r, const char *why)
{
	if (r->ended)
		return;
	be_deaf(r);
	r->handlers->on_end(r->owner, &r->last, why);
}

static void
take_progress(struct migraterun *r, const char *words)
{
	unsigned long long n[4];

	if (sscanf(words, "%llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3]) != 4) {
		end(r, "it speaks nonsense");
		return;
	}
	r->last = (struct migraterun_progress){n[0], n[1], n[2], n[3]};
	r->handlers->on_progress(r->owner, &r->last);
}

static void
take_line(struct migraterun *r)
{
	static const char progress[] = "progress ";
	static const char failed[] = "failed ";
	char text[2 * LINE_BYTES_MAX];
	unsigned long long moved;
	unsigned long long stuck;

	if (str_has_prefix(r->line, progress)) {
		take_progress(r, r->line + strlen(progress));
	} else if (str_has_prefix(r->line, failed)) {
		const char *why = r->line + strlen(failed);

		end(r, str_escape(why, strlen(why), text, sizeof(text)));
	} else if (sscanf(r->line, "done %llu %llu", &moved, &stuck) == 2) {
		r->last.moved_mib = moved;
		r->last.stuck_mib = stuck;
		end(r, NULL);
	} else {
		end(r, "it speaks nonsense");
	}
}

static void
take_byte(struct migraterun *r, char c)
{
	if (c != '\n' && r->len + 1 < sizeof(r->line)) {
		r->line[r->len++] = c;
		return;
	}
	r->line[r->len] = '\0';
	r->len = 0;
	take_line(r);
}

/* Why it ended without a last word. */
static void
explain_end(struct migraterun *r)
{
	char text[512];
	int error = child_exec_error(&r->child);

	(void)snprintf(text, sizeof(text), "%s: %s", program(),
		error < 0 ? strerror(-error) : "it ended before it was done");
	end(r, text);
}

static void
on_child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct migraterun *r = arg;
	char chunk[1024];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	listen_for_sound(r);
	for (ssize_t i = 0; i < n && !r->ended; i++)
		take_byte(r, chunk[i]);
	if (n <= 0)
		explain_end(r);
}

static void
on_child_silence(evutil_socket_t fd, short what, void *arg)
{
	struct migraterun *r = arg;

	(void)fd;
	(void)what;
	end(r, "it says nothing any more");
}

int
migraterun_new(const struct migraterun_options *o,
	const struct migraterun_handlers *handlers, void *owner,
	struct migraterun **out, struct err *e)
{
	char nodes[CPUSET_TEXT_MAX];
	char numbers[3][32];
	const char *words[] = {
		"qmpin-migrate", numbers[0], numbers[1], nodes, numbers[2], NULL};
	struct migraterun *r = xcalloc(1, sizeof(*r));
	int ret;

	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", (int)o->pid);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%llu",
		(unsigned long long)o->start_ticks);
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%u", o->mib_per_s);
	cpuset_format(&o->nodes, nodes, sizeof(nodes));
	ret = child_launch_program(program(), words, &r->child, e);
	if (ret < 0) {
		free(r);
		return ret;
	}
	r->handlers = handlers;
	r->owner = owner;
	r->readable = event_new(
		o->base, r->child.out, EV_READ | EV_PERSIST, on_child_readable, r);
	r->silence = evtimer_new(o->base, on_child_silence, r);
	r->exited = event_new(o->base, r->child.pidfd, EV_READ, on_child_exited, r);
	(void)event_add(r->readable, NULL);
	listen_for_sound(r);
	*out = r;
	return 0;
}
