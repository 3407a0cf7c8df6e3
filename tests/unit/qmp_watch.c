// SPDX-License-Identifier: MIT
/* The owner of a monitor in tests; see the header. */
#include "config.h"

#include <errno.h>
#include "qmp_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "qmp/guard.h"

static const char *const phase_names[] = {
	[MONITOR_IDLE] = "idle",
	[MONITOR_CONNECTING] = "connecting",
	[MONITOR_WATCHING] = "watching",
	[MONITOR_YIELDED] = "yielded",
	[MONITOR_STALLED] = "stalled",
	[MONITOR_REFUSED] = "refused",
};

static void
tell(struct watch *w, const char *word)
{
	strbuf_addf(&w->told, "%s ", word);
	if (str_equal(w->observe_at, word))
		monitor_observe(w->monitor);
	if (str_equal(w->free_at, word)) {
		monitor_free(w->monitor);
		w->monitor = NULL;
		w->free_at = NULL;
	}
}

static int
on_peer(void *owner, int fd, const struct ucred *peer)
{
	struct watch *w = owner;

	assert_true(fd >= 0);
	w->peer = *peer;
	w->peers++;
	if (w->pidfd >= 0)
		close(w->pidfd);
	w->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	if (str_equal(w->free_at, "peer"))
		tell(w, "peer");
	return w->refuse_peer || w->pidfd < 0 ? -EPERM : w->pidfd;
}

static void
on_phase(void *owner, enum monitor_phase phase, const struct err *why)
{
	struct watch *w = owner;

	err_clear(&w->why);
	if (why != NULL)
		w->why = *why;
	if (phase == MONITOR_IDLE || phase == MONITOR_STALLED ||
		phase == MONITOR_REFUSED)
		assert_non_null(why);
	tell(w, phase_names[phase]);
}

static void
on_facts(void *owner, const struct qmp_facts *facts)
{
	struct watch *w = owner;

	w->running = facts->running;
	w->n_vcpus = facts->n_vcpus;
	w->vcpus_max = facts->vcpus_max;
	w->n_iothreads = facts->n_iothreads;
	for (unsigned int i = 0; i < facts->n_vcpus && i < 8; i++)
		w->tids[i] = facts->vcpus[i].tid;
	str_copy(w->status, sizeof(w->status), facts->status);
	str_copy(w->name, sizeof(w->name), facts->name);
	tell(w, "facts");
}

static void
on_no_facts(void *owner, const struct err *why)
{
	struct watch *w = owner;

	assert_true(err_is_set(why));
	w->why = *why;
	tell(w, "no-facts");
}

static void
on_event(void *owner, const struct qmp_event *event)
{
	struct watch *w = owner;
	char word[64];

	w->events++;
	snprintf(word, sizeof(word), "event:%s", event->name);
	if (!w->quiet_events || event->kind != QMP_EVENT_OTHER)
		tell(w, word);
}

static void
on_used(void *owner)
{
	tell(owner, "used");
}

static void
on_client_dropped(void *owner, const struct err *why)
{
	struct watch *w = owner;

	w->why = *why;
	tell(w, "dropped");
}

static void
on_share(void *owner, enum share share, const struct err *why)
{
	struct watch *w = owner;

	w->share = share;
	w->shares++;
	err_clear(&w->share_why);
	if (why != NULL)
		w->share_why = *why;
}

static void
on_released(void *owner, int err, const struct err *why)
{
	assert_true((err == 0) == (why == NULL));
	tell(owner, err == 0 ? "released" : "not-released");
}

static void
on_guard_change(void *owner, bool alive)
{
	struct watch *w = owner;

	(void)alive;
	if (w->monitor != NULL)
		monitor_guard_changed(w->monitor);
}

void
watch_init(struct watch *w)
{
	*w = (struct watch){.folder = "/tmp/qmpin-test-XXXXXX"};
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/103.qmp", w->folder);
	w->base = event_base_new();
	assert_non_null(w->base);
	w->commons = (struct monitor_commons){.clock = clock_system(),
		.procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.guard_ms = 20};
	w->commons.guard = guard_new(w->base, on_guard_change, w);
	w->pidfd = -1;
	w->options = (struct monitor_options){
		.path = w->path,
		.commons = &w->commons,
		.share = SHARE_AUTO,
		.session_ms = 20000,
		.query_ms = 20000,
		.backoff_min_ms = 10,
		.backoff_max_ms = 40,
	};
}

void
watch_fini(struct watch *w)
{
	monitor_free(w->monitor);
	guard_free(w->commons.guard);
	close(w->commons.procfd);
	if (w->pidfd >= 0)
		close(w->pidfd);
	event_base_free(w->base);
	(void)unlink(w->path);
	(void)rmdir(w->folder);
	strbuf_fini(&w->told);
}

void
watch_start(struct watch *w)
{
	static const struct monitor_handlers handlers = {
		.on_peer = on_peer,
		.on_phase = on_phase,
		.on_facts = on_facts,
		.on_no_facts = on_no_facts,
		.on_event = on_event,
		.on_used = on_used,
		.on_client_dropped = on_client_dropped,
		.on_share = on_share,
		.on_released = on_released,
	};
	static const struct monitor_handlers deaf = {.on_peer = on_peer};

	w->monitor = monitor_new(w->base, &w->options, w->deaf ? &deaf : &handlers, w);
	assert_int_equal(monitor_phase(w->monitor), MONITOR_IDLE);
	monitor_start(w->monitor);
	assert_int_equal(w->told.len, 0);
}

static uint64_t
now_ms(void)
{
	return clock_now_us(clock_system()) / 1000;
}

static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

/* Run the loop until @holds, NULL: never. False when the time is over. */
static bool
run(struct watch *w, bool (*holds)(struct watch *w, const void *arg), const void *arg,
	unsigned int limit_ms, unsigned int *took_ms)
{
	const struct timeval tick_every = {.tv_usec = 5000};
	struct event *tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	uint64_t begin = now_ms();
	bool held = false;

	assert_non_null(tick);
	event_add(tick, &tick_every);
	while (!held && now_ms() - begin < limit_ms) {
		held = holds != NULL && holds(w, arg);
		if (!held)
			event_base_loop(w->base, EVLOOP_ONCE);
	}
	event_free(tick);
	*took_ms = (unsigned int)(now_ms() - begin);
	return held;
}

static bool
is_told(struct watch *w, const void *arg)
{
	return strstr(strbuf_text(&w->told), arg) != NULL;
}

static bool
are_reached(struct watch *w, const void *arg)
{
	return w->peers >= *(const unsigned int *)arg;
}

static bool
is_shared(struct watch *w, const void *arg)
{
	return w->share == *(const enum share *)arg;
}

struct hearing {
	int fd;
	const char *text;
	struct strbuf *heard;
};

static bool
is_heard(struct watch *w, const void *arg)
{
	const struct hearing *h = arg;
	char bytes[4096];
	ssize_t n;

	(void)w;
	while ((n = recv(h->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		strbuf_add(h->heard, bytes, (size_t)n);
	return strstr(strbuf_text(h->heard), h->text) != NULL;
}

unsigned int
watch_until(struct watch *w, const char *text, unsigned int limit_ms)
{
	unsigned int took_ms;

	if (!run(w, is_told, text, limit_ms, &took_ms))
		fail_msg("\"%s\" was not told in %u ms, but: %s(%s)", text, limit_ms,
			strbuf_text(&w->told), w->why.text);
	return took_ms;
}

unsigned int
watch_until_share(struct watch *w, enum share share, unsigned int limit_ms)
{
	unsigned int took_ms;

	if (!run(w, is_shared, &share, limit_ms, &took_ms))
		fail_msg("not shared as %s in %u ms, but as %s (%s)", share_name(share),
			limit_ms, share_name(w->share), w->share_why.text);
	return took_ms;
}

unsigned int
watch_until_heard(struct watch *w, int fd, const char *text, unsigned int limit_ms)
{
	struct strbuf heard = {0};
	struct hearing h = {fd, text, &heard};
	unsigned int took_ms;

	if (!run(w, is_heard, &h, limit_ms, &took_ms))
		fail_msg("%s was not heard in %u ms, but: %s", text, limit_ms,
			strbuf_text(&heard));
	strbuf_fini(&heard);
	return took_ms;
}

unsigned int
watch_until_peers(struct watch *w, unsigned int n, unsigned int limit_ms)
{
	unsigned int took_ms;

	if (!run(w, are_reached, &n, limit_ms, &took_ms))
		fail_msg("%u of %u peers were reached in %u ms", w->peers, n, limit_ms);
	return took_ms;
}

void
watch_for(struct watch *w, unsigned int ms)
{
	unsigned int took_ms;

	(void)run(w, NULL, NULL, ms, &took_ms);
}

void
watch_forget(struct watch *w)
{
	if (w->pidfd >= 0)
		close(w->pidfd);
	w->pidfd = -1;
	strbuf_fini(&w->told);
}

unsigned long
memory_kib(const char *what)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (str_has_prefix(line, what))
			kib = strtoul(line + strlen(what) + 1, NULL, 10);
	}
	fclose(f);
	assert_true(kib > 0);
	return kib;
}

unsigned int
open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}
