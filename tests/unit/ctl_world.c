// SPDX-License-Identifier: MIT
/* A control server for tests, and raw clients. */
#include "config.h"

#include "ctl_world.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/address.h"

const struct ctl_limits ctl_world_patient = {
	.clients = 256,
	.idle_ms = 300000,
	.half_ms = 300000,
	.stall_ms = 300000,
	.client_bytes = 64u << 20,
	.total_bytes = 128u << 20,
};

int
ctl_world_serve(struct ctl_world *w, const char *group, const struct ctl_limits *limits,
	struct err *e)
{
	struct ctl_server_options o = {
		.run_dirfd = w->dirfd,
		.run_dir = w->dir,
		.group = group,
		.version = "9.8.7",
		.methods = ctl_world_methods,
		.n_methods = CTL_WORLD_METHODS,
		.limits = limits,
	};

	return ctl_server_new(w->base, &o, w, &w->server, e);
}

void
ctl_world_up(struct ctl_world *w, const struct ctl_limits *limits)
{
	struct err e = ERR_NONE;
	const char *tmp = getenv("TMPDIR");

	*w = (struct ctl_world){
		.n_vms = 3, .n_threads = 4, .n_packages = 2, .state = "watching"};
	(void)snprintf(w->dir, sizeof(w->dir), "%s/qmpin-ctl-XXXXXX",
		tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dirfd >= 0);
	w->base = event_base_new();
	assert_non_null(w->base);
	assert_int_equal(ctl_world_serve(w, NULL, limits, &e), 0);
}

void
ctl_world_down(struct ctl_world *w)
{
	free(w->wish);
	ctl_server_free(w->server);
	event_base_free(w->base);
	(void)unlinkat(w->dirfd, "io.qmpin.lock", 0);
	(void)close(w->dirfd);
	assert_int_equal(rmdir(w->dir), 0);
}

void
ctl_world_step(struct ctl_world *w)
{
	struct timeval limit = {.tv_usec = 10000};

	(void)event_base_loopexit(w->base, &limit);
	(void)event_base_loop(w->base, EVLOOP_ONCE);
}

static uint64_t
deadline_us(void)
{
	return clock_now_us(clock_system()) + CTL_WORLD_PATIENCE_MS * UINT64_C(1000);
}

static void
step_until(struct ctl_world *w, uint64_t end_us)
{
	if (clock_now_us(clock_system()) > end_us)
		fail_msg("the server did nothing for %u ms", CTL_WORLD_PATIENCE_MS);
	ctl_world_step(w);
}

int
ctl_world_dial(struct ctl_world *w, const char *socket_name)
{
	struct sockaddr_un address;
	uint64_t end_us = deadline_us();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(address_fill(w->dirfd, w->dir, socket_name, &address), 0);
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		assert_int_equal(errno, EAGAIN);
		step_until(w, end_us);
	}
	(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	return fd;
}

bool
ctl_world_send(struct ctl_world *w, int fd, const char *bytes, size_t len)
{
	uint64_t end_us = deadline_us();

	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0) {
			step_until(w, end_us);
			continue;
		}
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

void
ctl_world_ask(struct ctl_world *w, int fd, const char *request)
{
	assert_true(ctl_world_send(w, fd, request, strlen(request) + 1));
}

/* Append what is there up to the end of the first message: 1 at its end, 0 not yet, -1
 * the server has closed. */
static int
take(int fd, struct strbuf *b)
{
	char chunk[16384];
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_PEEK);
	const char *nul;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	nul = memchr(chunk, '\0', (size_t)n);
	if (nul != NULL)
		n = nul - chunk + 1;
	assert_int_equal(recv(fd, chunk, (size_t)n, 0), n);
	strbuf_add(b, chunk, (size_t)n);
	return nul != NULL;
}

json_t *
ctl_world_read(struct ctl_world *w, int fd)
{
	struct strbuf b = {0};
	uint64_t end_us = deadline_us();
	json_t *reply = NULL;
	int r;

	while ((r = take(fd, &b)) == 0)
		step_until(w, end_us);
	if (r > 0) {
		reply = json_loads(b.s, 0, NULL);
		assert_non_null(reply);
	}
	strbuf_fini(&b);
	return reply;
}

unsigned int
ctl_world_drain(struct ctl_world *w, int fd)
{
	uint64_t end_us = deadline_us();
	struct strbuf b = {0};
	unsigned int seen = 0;
	int r;

	while ((r = take(fd, &b)) >= 0) {
		seen += r > 0;
		strbuf_fini(&b);
		if (r == 0)
			step_until(w, end_us);
	}
	strbuf_fini(&b);
	(void)close(fd);
	return seen;
}

struct ctl_world *
ctl_world_new(const struct ctl_limits *limits)
{
	struct ctl_world *w = xcalloc(1, sizeof(*w));

	ctl_world_up(w, limits);
	return w;
}

void
ctl_world_free(struct ctl_world *w)
{
	ctl_world_down(w);
	free(w);
}

int
ctl_world_setup(void **state)
{
	*state = ctl_world_new(NULL);
	return 0;
}

int
ctl_world_teardown(void **state)
{
	ctl_world_free(*state);
	return 0;
}

void
ctl_world_settle(struct ctl_world *w)
{
	for (unsigned int i = 0; i < 20; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
}

void
ctl_world_expect_served(struct ctl_world *w)
{
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;
	json_t *params;

	ctl_world_ask(w, fd, CTL_WORLD_STATUS);
	reply = ctl_world_read(w, fd);
	assert_non_null(reply);
	params = json_object_get(reply, "parameters");
	assert_string_equal(
		json_string_value(json_object_get(params, "version")), "9.8.7");
	json_decref(reply);
	(void)close(fd);
}

void
ctl_world_answer_held(struct ctl_world *w, int fd)
{
	json_t *reply;

	assert_false(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), false);
	reply = ctl_world_read(w, fd);
	assert_non_null(reply);
	json_decref(reply);
	(void)ctl_world_drain(w, fd);
}
