// SPDX-License-Identifier: MIT
/* The proxy on real sockets, with a QEMU that the test plays: what a real one would not
 * do, and clients that are slow, many or hostile. */
#include "config.h"

#include "qmp/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "proxy_host.h"
#include "qmp/caller.h"
#include "qmp/fdpass.h"
#include "qmp/link.h"
#include "qmp_watch.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define QUERY "{\"execute\":\"query-a\"}\n"
#define STOP "{\"timestamp\": {\"seconds\": 1}, \"event\": \"STOP\"}\r\n"

struct fixture {
	char folder[64];
	char path[100];
	int listener;
	int qemu; /* QEMU's end of the session */
	struct strbuf line;
	struct proxy_host host;
};

static void
start(struct fixture *f, unsigned int clients_max, unsigned int slow_ms)
{
	const struct timeval patience = {.tv_sec = 30};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f->qemu = ends[0];
	setsockopt(f->qemu, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	proxy_host_start(&f->host, ends[1], f->listener, clients_max, slow_ms);
	assert_int_equal(host_say(f->qemu, GREETING, -1), 0);
}

/* The next command that QEMU is sent: its id is the last of it. */
static void
next_command(struct fixture *f)
{
	char c = '\0';

	strbuf_fini(&f->line);
	while (strstr(strbuf_text(&f->line), "\"qmpin-proxy:") == NULL || c != '}') {
		assert_int_equal(recv(f->qemu, &c, 1, 0), 1);
		strbuf_add(&f->line, &c, 1);
	}
}

/* Answer the next command with @value. */
static void
answer(struct fixture *f, const char *value)
{
	auto_free char *reply = NULL;
	const char *id;

	next_command(f);
	id = strstr(f->line.s, "\"qmpin-proxy:");
	assert_non_null(id);
	reply = xasprintf(
		"{\"return\": %s, \"id\": %.*s}\r\n", value, (int)strcspn(id, "}"), id);
	assert_int_equal(host_say(f->qemu, reply, -1), 0);
}

static void
come_up(struct fixture *f, unsigned int clients_max, unsigned int slow_ms)
{
	start(f, clients_max, slow_ms);
	answer(f, "{}");
	proxy_host_until(&f->host, "up\n");
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/qmpin-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/103.qmp", f->folder);
	f->listener = host_listen(f->path);
	f->qemu = -1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	proxy_host_stop(&f->host);
	close(f->listener);
	if (f->qemu >= 0)
		close(f->qemu);
	(void)unlink(f->path);
	(void)rmdir(f->folder);
	strbuf_fini(&f->line);
	free(f);
	return 0;
}

/* It closes a moment after it has told. */
static void
until_fds(const struct proxy_host *h, unsigned int most)
{
	for (int i = 0; i < 30000 && proxy_host_fds(h) > most; i++)
		(void)poll(NULL, 0, 1);
	assert_in_range(proxy_host_fds(h), 0, most);
}

static void
nobody_is_accepted_before_it_is_up(void **state)
{
	struct fixture *f = *state;
	struct strbuf line = {0};
	char c;
	int fd;

	start(f, 0, 0);
	next_command(f);
	fd = host_connect(f->path);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(fcntl(f->listener, F_GETFL) & O_NONBLOCK, 0);
	host_say(f->qemu, "{\"return\": {}, \"id\": \"qmpin-proxy:0\"}", -1);
	assert_true(host_hear(fd, &line));
	assert_int_equal(fcntl(f->listener, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
	strbuf_fini(&line);
}

static void
a_slow_client_is_dropped_and_others_are_served(void **state)
{
	struct fixture *f = *state;
	auto_free char *value = xcalloc(4u << 20, 1);
	struct strbuf line = {0};
	int slow;
	int other;

	memset(value, 'x', (4u << 20) - 1);
	value[0] = value[(4u << 20) - 2] = '"';
	come_up(f, 0, 200);
	slow = host_open(f->path);
	other = host_open(f->path);
	host_say(slow, "{\"execute\":\"query-slow\"}", -1);
	answer(f, value);
	host_say(other, "{\"execute\":\"query-other\",\"id\":5}", -1);
	answer(f, "7");
	assert_true(host_hear(other, &line));
	assert_string_equal(line.s, "{\"return\": 7, \"id\": 5}\r\n");
	proxy_host_until(&f->host, "dropped: a client (process ");
	proxy_host_until(&f->host, ") does not take its reply, and others wait\n");
	close(slow);
	close(other);
	strbuf_fini(&line);
}

static void
a_long_reply_passes_in_little_memory(void **state)
{
	struct fixture *f = *state;
	auto_free char *value = xcalloc(32u << 20, 1);
	struct strbuf line = {0};
	unsigned long before;
	pid_t reader;
	int fd;

	memset(value, 'x', (32u << 20) - 1);
	value[0] = value[(32u << 20) - 2] = '"';
	come_up(f, 0, 0);
	fd = host_open(f->path);
	before = proxy_host_kib(&f->host, "VmHWM");
	reader = fork();
	if (reader == 0) {
		bool good = host_say(fd, "{\"execute\":\"x\"}", -1) == 0 &&
			    host_hear(fd, &line) && line.len > 32u << 20;

		_exit(good ? 0 : 1);
	}
	answer(f, value);
	assert_int_equal(waitpid(reader, &fd, 0), reader);
	assert_int_equal(fd, 0);
	print_message(
		"32 MiB took %lu KiB\n", proxy_host_kib(&f->host, "VmHWM") - before);
#ifndef QMPIN_SANITIZED
	assert_in_range(proxy_host_kib(&f->host, "VmHWM") - before, 0, 3000);
#endif
}

static void
thousands_of_connections_cost_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned int fds;
	unsigned long kib;

	come_up(f, 0, 0);
	close(host_open(f->path));
	fds = proxy_host_fds(&f->host);
	kib = proxy_host_kib(&f->host, "VmRSS");
	for (int i = 0; i < 5000; i++) {
		int fd = host_connect(f->path);

		if (i % 3 == 0)
			host_say(fd, "{\"execute\":\"qmp_capabilities\"}{\"half", -1);
		close(fd);
	}
	close(host_open(f->path));
	close(host_open(f->path));
	until_fds(&f->host, fds + 1);
	print_message("5000 connections took %ld KiB\n",
		(long)(proxy_host_kib(&f->host, "VmRSS") - kib));
#ifndef QMPIN_SANITIZED
	assert_in_range(proxy_host_kib(&f->host, "VmRSS"), 0, kib + 1000);
#endif
}

static void
clients_above_the_limit_wait(void **state)
{
	struct fixture *f = *state;
	struct strbuf line = {0};
	int a;
	int b;
	int c;

	come_up(f, 2, 0);
	a = host_open(f->path);
	b = host_open(f->path);
	c = host_connect(f->path);
	host_say(a, "{\"execute\":\"query-a\"}", -1);
	answer(f, "1");
	assert_true(host_hear(a, &line));
	assert_int_equal(recv(c, line.s, 1, MSG_DONTWAIT), -1);
	for (int i = 0; i < 3; i++)
		proxy_host_until(&f->host, "no room\n");
	close(a);
	assert_true(host_hear(c, &line));
	close(b);
	close(c);
	strbuf_fini(&line);
}

static void
a_flood_of_descriptors_is_dropped(void **state)
{
	struct fixture *f = *state;
	char control[CMSG_SPACE(20 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (char[]){' '}, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;
	struct strbuf line = {0};
	unsigned int fds;
	int fd;

	come_up(f, 0, 0);
	fds = proxy_host_fds(&f->host);
	fd = host_open(f->path);
	for (int i = 0; i < 1000; i++)
		host_say(fd, " ", f->listener);
	host_say(fd, "{}", -1);
	assert_true(host_hear(fd, &line));
	until_fds(&f->host, fds + 2);
	msg.msg_control = control;
	msg.msg_controllen = sizeof(control);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(20 * sizeof(int));
	for (size_t i = 0; i < 20; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &f->listener, sizeof(int));
	assert_int_equal(sendmsg(fd, &msg, 0), 1);
	assert_false(host_hear(fd, &line));
	proxy_host_until(&f->host, "sends too many descriptors\n");
	until_fds(&f->host, fds);
	close(fd);
	strbuf_fini(&line);
}

/* Until the socket is full for a while. */
static size_t
say_much(int fd, const char *text)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	size_t all = 0;
	ssize_t n;

	while (all < 64u << 20 && poll(&pfd, 1, 300) > 0) {
		n = send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		all += n > 0 ? (size_t)n : 0;
	}
	return all;
}

static void
one_that_says_much_is_held_back(void **state)
{
	struct fixture *f = *state;
	struct strbuf line = {0};
	size_t all;
	int fd;

	come_up(f, 0, 0);
	fd = host_open(f->path);
	all = say_much(fd, QUERY);
	assert_true(all < 4u << 20);
	for (size_t i = 0; i < all / strlen(QUERY) && i < 100; i++) {
		answer(f, "1");
		assert_true(host_hear(fd, &line));
	}
#ifndef QMPIN_SANITIZED
	assert_in_range(proxy_host_kib(&f->host, "VmHWM"), 0, 12000);
#endif
	close(fd);
	/* Refusals that are not read hold back as well. */
	fd = host_open(f->path);
	all = say_much(fd, "{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}");
	assert_true(all < 4u << 20);
	close(fd);
	strbuf_fini(&line);
}

static void
when_qemu_leaves_so_does_it(void **state)
{
	struct fixture *f = *state;
	struct strbuf line = {0};
	int fd;

	come_up(f, 0, 0);
	fd = host_open(f->path);
	host_say(fd, "{\"execute\":\"quit\"}", -1);
	next_command(f);
	host_say(f->qemu, STOP "{\"return\": {}, \"id\": \"qmpin-proxy:1\"}\r\n", -1);
	(void)shutdown(f->qemu, SHUT_RDWR);
	host_until(fd, "STOP", &line);
	host_until(fd, "{\"return\": {}}", &line);
	assert_false(host_hear(fd, &line));
	proxy_host_until(&f->host, "end -104: closed by the peer");
	close(fd);
	strbuf_fini(&line);
}

static void
what_is_not_qmp_ends_it(void **state)
{
	struct fixture *f = *state;

	come_up(f, 0, 0);
	host_say(f->qemu, "HTTP/1.1 400\r\n", -1);
	proxy_host_until(&f->host, "end -71: not QMP: something else than an object");
}

/* In this process: a client of our own. */
struct own {
	struct event_base *base;
	struct proxy *proxy;
	struct link *link;
	struct strbuf told;
};

static void
on_tell(void *owner, enum session_tell tell, const struct session_told *told)
{
	struct own *o = owner;

	(void)told;
	if (tell == SESSION_ASKED)
		return;
	strbuf_addf(&o->told, "%s ",
		tell == SESSION_GREETED	 ? "greeted"
		: tell == SESSION_UP	 ? "link-up"
		: tell == SESSION_FACTS	 ? "facts"
		: tell == SESSION_EVENT	 ? "event"
		: tell == SESSION_CLOSED ? "closed"
					 : "other");
	if (tell == SESSION_UP)
		link_observe(o->link);
	if (tell == SESSION_EVENT)
		proxy_finish(o->proxy);
}

static void
on_up(void *owner)
{
	const struct link_options options = {
		.clock = clock_system(), .session_ms = 20000, .query_ms = 20000};
	struct own *o = owner;
	int fd = proxy_join(o->proxy);

	assert_true(fd >= 0);
	strbuf_adds(&o->told, "up ");
	o->link = link_new(o->base, fd, &options, on_tell, o);
}

static void
on_changed(void *owner)
{
	struct own *o = owner;

	strbuf_adds(&o->told, "changed ");
}

static void
on_client_dropped(void *owner, const struct err *why)
{
	(void)owner;
	fail_msg("%s", why->text);
}

static void
on_no_room(void *owner)
{
	(void)owner;
}

static void
on_end(void *owner, int err, const struct err *why)
{
	struct own *o = owner;

	(void)why;
	strbuf_addf(&o->told, "end%d ", err);
	proxy_free(o->proxy);
	o->proxy = NULL;
	event_base_loopexit(o->base, &(const struct timeval){.tv_usec = 50000});
}

/* Facts of a VM, then an event. */
static void
play_qemu(int fd)
{
	struct fixture f = {.qemu = fd};
	static const char *const values[] = {"{}",
		"{\"status\": \"running\", \"running\": true}",
		"[{\"thread-id\": 11, \"cpu-index\": 0}]", "[{\"vcpus-count\": 4}]",
		"[]", "{\"name\": \"x\"}", "[]", "[]"};

	host_say(fd, GREETING, -1);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		answer(&f, values[i]);
	host_say(fd, STOP, -1);
	(void)recv(fd, &f, 1, 0);
	_exit(0);
}

static void
a_client_of_our_own_is_one_like_others(void **state)
{
	static const struct proxy_handlers handlers = {
		on_up, on_changed, on_client_dropped, on_no_room, on_end};
	const struct proxy_options options = {.clock = clock_system()};
	struct fixture *f = *state;
	struct own o = {.base = event_base_new()};
	int ends[2];
	pid_t qemu;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	qemu = fork();
	if (qemu == 0) {
		close(ends[1]);
		play_qemu(ends[0]);
	}
	close(ends[0]);
	o.proxy = proxy_new(o.base, ends[1], f->listener, &options, &handlers, &o);
	assert_int_equal(proxy_join(o.proxy), -ENOTCONN);
	assert_false(proxy_is_busy(o.proxy));
	event_base_dispatch(o.base);
	assert_string_equal(o.told.s, "up greeted link-up facts event end0 closed ");
	assert_int_equal(waitpid(qemu, &ends[0], 0), qemu);
	assert_int_equal(ends[0], 0);
	link_free(o.link);
	strbuf_fini(&o.told);
	event_base_free(o.base);
}

#define proxy_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		proxy_test(nobody_is_accepted_before_it_is_up),
		proxy_test(a_slow_client_is_dropped_and_others_are_served),
		proxy_test(a_long_reply_passes_in_little_memory),
		proxy_test(thousands_of_connections_cost_nothing),
		proxy_test(clients_above_the_limit_wait),
		proxy_test(a_flood_of_descriptors_is_dropped),
		proxy_test(one_that_says_much_is_held_back),
		proxy_test(when_qemu_leaves_so_does_it),
		proxy_test(what_is_not_qmp_ends_it),
		proxy_test(a_client_of_our_own_is_one_like_others),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
