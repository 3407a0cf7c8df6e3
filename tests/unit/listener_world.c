// SPDX-License-Identifier: MIT
/* A process that listens as QEMU does, and this one, which looks for its socket. */
#include "config.h"

#include "listener_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "procs.h"
#include "qmp/listener.h"

int
listener_world_setup(void **state)
{
	struct listener_world *w = xcalloc(1, sizeof(*w));

	w->fds = procs_count_fds();
	w->dir = procs_make_dir();
	w->path = xasprintf("%s/%s", w->dir, LISTENER_WORLD_NAME);
	w->fd = -1;
	*state = w;
	return 0;
}

int
listener_world_teardown(void **state)
{
	struct listener_world *w = *state;

	holder_stop(&w->h);
	holder_stop(&w->other);
	if (w->fd >= 0)
		close(w->fd);
	assert_int_equal(procs_count_fds(), w->fds);
	procs_remove_dir(w->dir);
	free(w->path);
	free(w);
	return 0;
}

int
listener_world_duplicate(struct listener_world *w)
{
	return listener_duplicate(&w->h.process, w->path, &w->fd, &w->e);
}

void
listener_world_found(struct listener_world *w)
{
	int r = listener_world_duplicate(w);

	if (r < 0)
		fail_msg("%d: %s: %s", r, w->e.source, w->e.text);
	assert_int_equal(holder_inode(w->fd), w->h.said);
	assert_int_equal(fcntl(w->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(w->fd, F_GETFL) & O_NONBLOCK, 0);
}

void
listener_world_refused(struct listener_world *w, int expected, const char *text)
{
	assert_int_equal(listener_world_duplicate(w), expected);
	assert_int_equal(w->fd, -1);
	assert_string_equal(w->e.source, w->path);
	if (strstr(w->e.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, w->e.text);
}

char *
listener_world_in(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

void
listener_world_plain(int control, const char *dir)
{
	holder_pause(control, holder_inode(holder_listen(
				      listener_world_in(dir, LISTENER_WORLD_NAME))));
}
