// SPDX-License-Identifier: MIT
/* A proxy in a child process, and its clients; see the header. */
#include "config.h"

#include "proxy_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmp/fdpass.h"

#define PATIENCE_MS 30000

struct child {
	struct proxy *proxy;
	int wire;
};

static void
tell(const struct child *c, const char *word)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s\n", word);

	if (send(c->wire, line, (size_t)n, MSG_NOSIGNAL) != n)
		_exit(1);
}

static void
on_up(void *owner)
{
	tell(owner, "up");
}

static void
on_changed(void *owner)
{
	tell(owner, "changed");
}

static void
on_client_dropped(void *owner, const struct err *why)
{
	char line[400];

	(void)snprintf(line, sizeof(line), "dropped: %s", why->text);
	tell(owner, line);
}

static void
on_no_room(void *owner)
{
	tell(owner, "no room");
}

static void
on_end(void *owner, int err, const struct err *why)
{
	struct child *c = owner;
	char line[400];

	(void)snprintf(line, sizeof(line), "end %d: %s", err, why->text);
	proxy_free(c->proxy);
	c->proxy = NULL;
	tell(c, line);
}

static void
on_order(evutil_socket_t fd, short what, void *owner)
{
	struct child *c = owner;
	char order;

	(void)what;
	if (recv(fd, &order, 1, 0) != 1)
		_exit(0);
	if (order == 'f' && c->proxy != NULL)
		proxy_finish(c->proxy);
}

static void
run_child(int wire, int upstream, int listener, const struct proxy_options *options)
{
	static const struct proxy_handlers handlers = {
		.on_up = on_up,
		.on_changed = on_changed,
		.on_client_dropped = on_client_dropped,
		.on_no_room = on_no_room,
		.on_end = on_end,
	};
	struct event_base *base = event_base_new();
	struct child c = {.wire = wire};
	struct event *orders =
		event_new(base, wire, EV_READ | EV_PERSIST, on_order, &c);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	event_add(orders, NULL);
	c.proxy = proxy_new(base, upstream, listener, options, &handlers, &c);
	event_base_dispatch(base);
	_exit(0);
}

void
proxy_host_start(struct proxy_host *h, int upstream, int listener,
	unsigned int clients_max, unsigned int slow_ms)
{
	struct proxy_options options = {
		.clock = clock_system(),
		.session_ms = 20000,
		.clients_max = clients_max,
		.slow_ms = slow_ms,
	};
	int ends[2];

	*h = (struct proxy_host){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0) {
		close(ends[0]);
		run_child(ends[1], upstream, listener, &options);
	}
	close(ends[1]);
	close(upstream);
	h->wire = ends[0];
}

/* False when nothing came. */
static bool
take(struct proxy_host *h, int wait_ms)
{
	struct pollfd pfd = {.fd = h->wire, .events = POLLIN};
	char bytes[4096];
	ssize_t n = 0;

	if (poll(&pfd, 1, wait_ms) > 0)
		n = recv(h->wire, bytes, sizeof(bytes), 0);
	if (n > 0)
		strbuf_add(&h->told, bytes, (size_t)n);
	return n > 0;
}

void
proxy_host_until(struct proxy_host *h, const char *text)
{
	const char *found;

	while ((found = strstr(strbuf_text(&h->told), text)) == NULL) {
		if (!take(h, PATIENCE_MS))
			fail_msg("\"%s\" was not told, but: %s", text,
				strbuf_text(&h->told));
	}
	strbuf_drop(&h->told, (size_t)(found - h->told.s) + strlen(text));
}

unsigned int
proxy_host_count(struct proxy_host *h, const char *text)
{
	unsigned int n = 0;

	while (take(h, 0))
		continue;
	for (const char *at = strbuf_text(&h->told); (at = strstr(at, text)) != NULL;
		at += strlen(text))
		n++;
	return n;
}

void
proxy_host_order(struct proxy_host *h, char order)
{
	assert_int_equal(send(h->wire, &order, 1, MSG_NOSIGNAL), 1);
}

unsigned long
proxy_host_kib(const struct proxy_host *h, const char *what)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f;

	(void)snprintf(line, sizeof(line), "/proc/%d/status", (int)h->pid);
	f = fopen(line, "re");
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
proxy_host_fds(const struct proxy_host *h)
{
	char path[64];
	unsigned int n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)h->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

void
proxy_host_stop(struct proxy_host *h)
{
	if (h->pid <= 0)
		return;
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	close(h->wire);
	strbuf_fini(&h->told);
	h->pid = 0;
}

int
host_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

int
host_connect(const char *path)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int
host_say(int fd, const char *text, int pass)
{
	struct frame_span left = {text, strlen(text)};
	ssize_t n;

	while (left.len > 0) {
		n = fdpass_send(fd, left, pass);
		if (n == -EAGAIN) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};

			assert_true(poll(&pfd, 1, PATIENCE_MS) > 0);
			continue;
		}
		if (n < 0)
			return -1;
		pass = -1;
		left.bytes += n;
		left.len -= (size_t)n;
	}
	return 0;
}

/* Look first, take up to the newline. */
bool
host_hear(int fd, struct strbuf *line)
{
	char bytes[8192];
	const char *end;
	ssize_t n;

	strbuf_fini(line);
	do {
		n = recv(fd, bytes, sizeof(bytes), MSG_PEEK);
		if (n < 0 && errno != ECONNRESET)
			fail_msg("nothing more was heard after: %.200s",
				strbuf_text(line));
		if (n <= 0)
			return false;
		end = memchr(bytes, '\n', (size_t)n);
		n = end != NULL ? end - bytes + 1 : n;
		assert_int_equal(recv(fd, bytes, (size_t)n, 0), n);
		strbuf_add(line, bytes, (size_t)n);
	} while (end == NULL);
	assert_true(line->len > 2 && strcmp(line->s + line->len - 2, "\r\n") == 0);
	return true;
}

void
host_until(int fd, const char *text, struct strbuf *line)
{
	do {
		if (!host_hear(fd, line))
			fail_msg("the end came before \"%s\"", text);
	} while (strstr(line->s, text) == NULL);
}

int
host_open(const char *path)
{
	int fd = host_connect(path);
	struct strbuf line = {0};

	host_say(fd, "{\"execute\": \"qmp_capabilities\"}\n", -1);
	host_until(fd, "\"QMP\"", &line);
	host_until(fd, "\"return\": {}", &line);
	strbuf_fini(&line);
	return fd;
}

void
host_ask(int fd, const char *command, struct strbuf *reply)
{
	assert_int_equal(host_say(fd, command, -1), 0);
	do {
		if (!host_hear(fd, reply))
			fail_msg("the end came instead of a reply to %s", command);
	} while (strstr(reply->s, "\"event\": ") != NULL);
}
