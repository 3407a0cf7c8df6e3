// SPDX-License-Identifier: MIT
/* Masks given back without a daemon. */
#include "config.h"

#include "daemon/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "act/record.h"
#include "act/recorddir.h"
#include "base/err.h"
#include "base/str.h"
#include "ctl/client.h"
#include "ctl/listen.h"
#include "daemon/cmdline.h"
#include "daemon/giveback.h"
#include "vm/identity.h"

#define CONNECT_MS 1000

struct offline {
	int procfd;
	int run_dirfd;
	const char *which; /* ids between commas, or "all" */
	bool forget;
	unsigned int done;
	unsigned int failed;
};

/* One VM's turn. */
struct turn {
	const char *id;
	unsigned int set;
	unsigned int failed;
};

void
offline_say(const struct err *e)
{
	char text[512];

	if (!err_is_set(e))
		return;
	(void)fprintf(stderr, "qmpind: %s\n", err_format(e, text, sizeof(text)));
}

static void
take_step(void *arg, const struct giveback_step *step)
{
	struct turn *turn = arg;

	if (step->r == 0) {
		turn->set++;
		return;
	}
	turn->failed++;
	(void)fprintf(stderr, "qmpind: VM %s: thread %d not restored: %s\n", turn->id,
		(int)step->tid, strerror(-step->r));
}

/* That it is to be left alone is noted first; that it was never touched, when this is
 * true again. What was set by hand, also to leave it alone, stays so. Returns 0, -ESRCH
 * (no such process any more) or another errno with @e. */
static int
restore(struct offline *o, struct record *record, struct turn *turn, struct err *e)
{
	struct vm_identity process;
	bool untouched = record->untouched;
	int r = identity_reopen(
		o->procfd, record->pid, record->start_ticks, record->id, &process, e);

	if (r < 0)
		return r;
	record->placed = false;
	if (!o->forget) {
		record->restored = true;
		record->untouched = false;
	}
	r = record_save(o->run_dirfd, record, e);
	if (r == 0 && !untouched) /* else no mask of it was ever changed */
		r = giveback_process(o->procfd, process.pidfd, record, take_step, turn);
	if (r == 0 && turn->failed == 0 && !record->restored && !untouched) {
		record->untouched = true;
		record->wide = (struct record_wide){0};
		r = record_save(o->run_dirfd, record, e);
	}
	identity_fini(&process);
	return r;
}

bool
offline_means(const char *which, const char *id)
{
	size_t len = strlen(id);

	if (str_equal(which, "all"))
		return true;
	for (const char *at = which; *at != '\0';) {
		size_t word = strcspn(at, ",");

		if (word == len && memcmp(at, id, len) == 0)
			return true;
		at += word + (at[word] == ',' ? 1 : 0);
	}
	return false;
}

static void
restore_one(void *arg, const char *id)
{
	struct offline *o = arg;
	struct turn turn = {.id = id};
	struct err why = ERR_NONE;
	struct record record;
	int r;

	if (!offline_means(o->which, id))
		return;
	r = record_load(o->run_dirfd, id, &record, &why);
	if (r == -ENOENT || r == -ESTALE)
		return; /* another boot's: nothing is left of it */
	if (r == 0) {
		r = restore(o, &record, &turn, &why);
		record_fini(&record);
	}
	if (r == -ESRCH)
		return; /* its QEMU has ended */
	if (r < 0)
		offline_say(&why);
	if (r < 0 || turn.failed > 0) {
		o->failed++;
		return;
	}
	o->done++;
	(void)printf(
		"restored %s: %u thread%s\n", id, turn.set, turn.set == 1 ? "" : "s");
}

static int
refuse_beside_daemon(const struct cmdline *c, struct err *e)
{
	struct ctl_client *client;
	struct err unused = ERR_NONE;

	if (ctl_client_new(c->run_dir, CONNECT_MS, &client, &unused) < 0)
		return 0;
	ctl_client_free(client);
	return err_set(e, -EBUSY, NULL, 0,
		"qmpind is running: use qmpin restore or qmpin release, which ask it");
}

static int
open_run_dir(const struct cmdline *c, int *fd, struct err *e)
{
	*fd = open(c->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 && errno != ENOENT)
		return err_set(
			e, -errno, c->run_dir, 0, "cannot open: %s", strerror(errno));
	return 0;
}

static int
lock_run_dir(const struct cmdline *c, int run_dirfd, int *lock, struct err *e)
{
	const struct listen_place place = {.dirfd = run_dirfd, .dir = c->run_dir};
	int fd = listen_lock(&place, e);
	int r;

	if (fd < 0)
		return fd;
	r = refuse_beside_daemon(c, e);
	if (r < 0)
		close(fd);
	else
		*lock = fd;
	return r;
}

int
offline_lock(const struct cmdline *c, int *lock, struct err *e)
{
	auto_close int run_dirfd = -1;
	int r = open_run_dir(c, &run_dirfd, e);

	*lock = -1;
	return r < 0 || run_dirfd < 0 ? r : lock_run_dir(c, run_dirfd, lock, e);
}

int
offline_exit(unsigned int done, unsigned int failed)
{
	if (failed == 0)
		return 0;
	return done > 0 ? OFFLINE_PARTLY : OFFLINE_FAILED;
}

static int
run(struct offline *o, const struct cmdline *c, struct err *e)
{
	auto_close int lock = -1;
	int r = open_run_dir(c, &o->run_dirfd, e);

	if (r < 0 || o->run_dirfd < 0)
		return r;
	r = lock_run_dir(c, o->run_dirfd, &lock, e); /* no daemon starts meanwhile */
	return r < 0 ? r : recorddir_each(o->run_dirfd, restore_one, o);
}

int
offline_restore(const struct cmdline *c)
{
	struct offline o = {.which = c->restore, .forget = c->forget, .run_dirfd = -1};
	struct err why = ERR_NONE;
	int r;

	o.procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = o.procfd < 0 ? err_set(&why, -errno, "/proc", 0, "cannot open: %s",
				   strerror(errno))
			 : run(&o, c, &why);
	if (r < 0)
		offline_say(&why);
	if (r == 0 && o.done + o.failed == 0)
		(void)fputs("qmpind: nothing to restore\n", stderr);
	if (o.procfd >= 0)
		close(o.procfd);
	if (o.run_dirfd >= 0)
		close(o.run_dirfd);
	return r < 0 ? OFFLINE_FAILED : offline_exit(o.done, o.failed);
}
