// SPDX-License-Identifier: MIT
/*
 * Lines of the program, read as they come. One that says something else than it should,
 * or nothing for long, is ended. Invariant: it is freed only when the program has gone,
 * so never below a callback that was given its words.
 */
#include "config.h"

#include "daemon/migraterun.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/childio.h"

#define LINE_BYTES_MAX 256u
/* It reports every second, unless a slice of 1 GiB pages takes longer. */
#define SILENCE_MS 60000u

struct migraterun {
	struct childio io;
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

void
migraterun_free(struct migraterun *r)
{
	if (r == NULL)
		return;
	childio_stop(&r->io);
	childio_fini(&r->io);
	free(r);
}

/* There is nothing to wait for. */
static void
on_io_exited(void *owner)
{
	migraterun_free(owner);
}

void
migraterun_end(struct migraterun *r)
{
	if (r == NULL)
		return;
	r->ended = true;
	childio_end(&r->io);
}

static void
end(struct migraterun *r, const char *why)
{
	if (r->ended)
		return;
	r->ended = true;
	childio_hush(&r->io);
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
	int error = child_exec_error(&r->io.child);

	(void)snprintf(text, sizeof(text), "%s: %s", program(),
		error < 0 ? strerror(-error) : "it ended before it was done");
	end(r, text);
}

static void
on_io_readable(void *owner)
{
	struct migraterun *r = owner;
	char chunk[1024];
	ssize_t n = childio_read(&r->io, chunk, sizeof(chunk));

	if (n == 0)
		return;
	childio_heard(&r->io);
	for (ssize_t i = 0; i < n && !r->ended; i++)
		take_byte(r, chunk[i]);
	if (n < 0)
		explain_end(r);
}

static void
on_io_silence(void *owner)
{
	end(owner, "it says nothing any more");
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
	static const struct childio_handlers io_handlers = {
		on_io_readable, on_io_silence, on_io_exited};
	struct migraterun *r;
	struct child child;
	int ret;

	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", (int)o->pid);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%llu",
		(unsigned long long)o->start_ticks);
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%u", o->mib_per_s);
	cpuset_format(&o->nodes, nodes, sizeof(nodes));
	ret = child_launch_program(program(), words, &child, e);
	if (ret < 0)
		return ret;
	r = xcalloc(1, sizeof(*r));
	r->handlers = handlers;
	r->owner = owner;
	(void)childio_init(&r->io, o->base, &child, &io_handlers, r);
	childio_expect(&r->io, SILENCE_MS);
	*out = r;
	return 0;
}
