// SPDX-License-Identifier: MIT
/*
 * qmpin-pve DIR: reads files below DIR, which is /etc/pve, for qmpind. On stdin it is
 * told what is wanted and when to look, on stdout it tells what has changed (see
 * pve/pvefeed.h). Ends when its stdin ends. Whoever reads our stderr must not wait for
 * us: we may hang for ever.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "pve/pvefeed.h"
#include "pve/pvefiles.h"

#define CHUNK_BYTES 16384u
/* Messages go out together, but not all at the end: silence is taken for trouble. */
#define TOGETHER_BYTES 16384u
#define TOGETHER_US 500000u

struct voice {
	struct strbuf out;
	uint64_t sent_us;
};

static uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static void
send_out(struct voice *v)
{
	/* nobody reads any more: nobody wants us */
	if (io_write_all(STDOUT_FILENO, strbuf_text(&v->out), v->out.len) < 0)
		_exit(1);
	strbuf_fini(&v->out);
	v->sent_us = now_us();
}

static void
tell(void *owner, const struct pvefeed_message *m)
{
	struct voice *v = owner;
	bool late = now_us() - v->sent_us >= TOGETHER_US;

	if (m->kind != PVEFEED_BUSY || late)
		pvefeed_put(&v->out, m);
	if (late || v->out.len >= TOGETHER_BYTES)
		send_out(v);
}

/* Returns false for what is not for us. */
static bool
obey(struct pvefiles *files, const struct pvefeed_message *m)
{
	struct voice voice = {.sent_us = now_us()};

	switch (m->kind) {
	case PVEFEED_ADD:
		pvefiles_add(files, m->subject);
		return true;
	case PVEFEED_REMOVE:
		pvefiles_remove(files, m->subject);
		return true;
	case PVEFEED_LOOK:
	case PVEFEED_READ:
		pvefiles_look(files, m->kind == PVEFEED_READ, tell, &voice);
		send_out(&voice);
		return true;
	default:
		return false;
	}
}

/* Returns the status to end with. */
static int
serve(struct pvefiles *files, struct pvefeed *in)
{
	struct pvefeed_message m;
	char chunk[CHUNK_BYTES];

	for (;;) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0;
		if (pvefeed_take(in, chunk, (size_t)n) < 0)
			return 1;
		while ((r = pvefeed_next(in, &m, NULL)) > 0) {
			if (!obey(files, &m))
				return 1;
		}
		if (r < 0)
			return 1;
	}
}

int
main(int argc, char **argv)
{
	struct pvefiles *files;
	struct pvefeed in = {0};
	int null;
	int r;

	if (argc != 2) {
		(void)fputs("usage: qmpin-pve DIR\nfor qmpind\n", stderr);
		return 2;
	}
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	/* qmpind is before others, this need not be */
	(void)setpriority(PRIO_PROCESS, 0, 0);
	/* what a large list took goes back at once */
	(void)mallopt(M_TRIM_THRESHOLD, 65536);
	json_set_alloc_funcs(xmalloc, free);
	files = pvefiles_new(argv[1]);
	r = serve(files, &in);
	pvefiles_free(files);
	pvefeed_fini(&in);
	return r;
}
