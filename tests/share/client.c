// SPDX-License-Identifier: MIT
/*
 * A monitor's client as Proxmox's PVE::QMPClient is one. It knows nothing of qmpind.
 * Invariant: a function that returns -1 has said why.
 */
#include "config.h"

#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"

/* Between two looks at a VM that restarts. */
#define GONE_RETRY_MS 2u

static const struct json_caps caps = {
	.bytes = 32u << 20, .depth = 64, .values = 1u << 20};

uint64_t
client_now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int
fail(struct client *c, const char *what, int err)
{
	if (err != 0)
		(void)snprintf(
			c->why, sizeof(c->why), "%s: %s", what, strerrorname_np(err));
	else
		(void)snprintf(c->why, sizeof(c->why), "%s", what);
	return -1;
}

static void
nap(unsigned int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* One attempt: 0 or an errno. */
static int
try_connect(struct client *c, const struct sockaddr_un *to)
{
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return errno;
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		int err = errno;

		(void)close(c->fd);
		c->fd = -1;
		return err;
	}
	return 0;
}

static int
knock(struct client *c, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	uint64_t began = client_now_us();
	int err;

	str_copy(to.sun_path, sizeof(to.sun_path), path);
	while ((err = try_connect(c, &to)) != 0) {
		uint64_t waited_ms = (client_now_us() - began) / 1000;

		if (err == EAGAIN && waited_ms < c->timeout_ms) {
			c->eagain++;
			nap(CLIENT_RETRY_MS);
		} else if ((err == ENOENT || err == ECONNREFUSED) &&
			   waited_ms < c->gone_ms) {
			nap(GONE_RETRY_MS);
		} else {
			return fail(c, "connect", err);
		}
	}
	return 0;
}

int
client_open(struct client *c, const char *path)
{
	c->fd = -1;
	c->why[0] = '\0';
	memset(&c->in, 0, sizeof(c->in));
	if (knock(c, path) < 0)
		return -1;
	return client_run(c, "qmp_capabilities", NULL, -1, NULL);
}

void
client_close(struct client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	strbuf_fini(&c->in);
}

/* Wait for @events until the deadline. */
static int
wait_for(struct client *c, short events, uint64_t deadline_us)
{
	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = events};
		uint64_t now_us = client_now_us();
		int r;

		if (now_us >= deadline_us)
			return fail(c, "timeout", 0);
		r = poll(&p, 1, (int)((deadline_us - now_us) / 1000 + 1));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return fail(c, "poll", errno);
	}
}

/* Send bytes, the first of them with @fd if there is one. */
static int
send_part(struct client *c, const char *bytes, size_t len, int fd, uint64_t deadline_us)
{
	while (len > 0) {
		union {
			struct cmsghdr head;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control = {0};
		struct iovec iov = {
			.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (fd >= 0) {
			m.msg_control = control.bytes;
			m.msg_controllen = sizeof(control.bytes);
			control.head.cmsg_level = SOL_SOCKET;
			control.head.cmsg_type = SCM_RIGHTS;
			control.head.cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		}
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(c, "send", errno);
		if (n < 0 && wait_for(c, POLLOUT, deadline_us) < 0)
			return -1;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			fd = -1;
		}
	}
	return 0;
}

static int
send_text(struct client *c, const char *text, int fd, uint64_t deadline_us)
{
	size_t len = strlen(text);
	size_t first = len;

	if (fd >= 0 && c->order == CLIENT_FD_FIRST)
		first = 1;
	else if (fd >= 0 && c->order == CLIENT_FD_LAST)
		first = len - 1;
	if (send_part(c, text, first, c->order == CLIENT_FD_LAST ? -1 : fd,
		    deadline_us) < 0)
		return -1;
	if (first == len)
		return c->order == CLIENT_FD_LAST && fd >= 0 ? fail(c, "empty", 0) : 0;
	/* So that QEMU reads the parts one by one. */
	nap(1);
	return send_part(c, text + first, len - first,
		c->order == CLIENT_FD_LAST ? fd : -1, deadline_us);
}

/* One line of what was read: 1 when it is the reply, 0 when it is something else. */
static int
take_line(
	struct client *c, const char *line, size_t len, const char *id, json_t **reply)
{
	auto_json json_t *message = NULL;
	const char *found;

	while (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0)
		return 0;
	if (json_parse_object(line, len, &caps, &message, NULL) < 0)
		return fail(c, "not an object a line", 0);
	if (json_object_get(message, "QMP") != NULL ||
		json_object_get(message, "event") != NULL)
		return 0;
	if (json_get_string(message, "id", &found) < 0)
		return fail(c, "reply without id", 0);
	if (!str_equal(found, id))
		return fail(c, "reply with a foreign id", 0);
	if (*reply != NULL)
		return fail(c, "two replies", 0);
	*reply = take_ptr(&message);
	return 1;
}

/* What has been read ends with an object: look at all lines. */
static int
take_lines(struct client *c, const char *id, json_t **reply)
{
	const char *text = strbuf_text(&c->in);

	while (*text != '\0') {
		const char *end = strchr(text, '\n');

		if (end == NULL)
			end = text + strlen(text);
		if (take_line(c, text, (size_t)(end - text), id, reply) < 0)
			return -1;
		text = *end == '\n' ? end + 1 : end;
	}
	strbuf_drop(&c->in, c->in.len);
	return 0;
}

/* Proxmox looks at its input when it ends with "}" and newlines. */
static bool
is_whole(const struct strbuf *in)
{
	size_t len = in->len;

	while (len > 0 && (in->s[len - 1] == '\n' || in->s[len - 1] == '\r'))
		len--;
	return len > 0 && len < in->len && in->s[len - 1] == '}';
}

static int
read_reply(struct client *c, const char *id, uint64_t deadline_us, json_t **reply)
{
	char bytes[65536];

	while (*reply == NULL) {
		ssize_t n;

		if (wait_for(c, POLLIN, deadline_us) < 0)
			return -1;
		n = recv(c->fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return fail(c, "closed", 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(c, "read", errno);
		if (n > 0)
			strbuf_add(&c->in, bytes, (size_t)n);
		if (n > 0 && is_whole(&c->in) && take_lines(c, id, reply) < 0)
			return -1;
	}
	return 0;
}

static char *
request(const char *command, json_t *arguments, const char *id)
{
	auto_json json_t *o = json_pack(
		"{ss so* ss}", "execute", command, "arguments", arguments, "id", id);

	return json_dumps(o, JSON_COMPACT);
}

static int
error_reply(struct client *c, const json_t *reply)
{
	const char *text = NULL;

	if (json_unpack((json_t *)(uintptr_t)reply, "{s{ss}}", "error", "desc", &text) <
		0)
		return fail(c, "neither return nor error", 0);
	(void)snprintf(c->why, sizeof(c->why), "error: %s", text);
	return -1;
}

int
client_run(
	struct client *c, const char *command, json_t *arguments, int fd, json_t **ret)
{
	uint64_t deadline_us = client_now_us() + (uint64_t)c->timeout_ms * 1000;
	auto_json json_t *reply = NULL;
	auto_free char *text = NULL;
	char id[32];
	json_t *value;

	(void)snprintf(id, sizeof(id), "%d:%u", (int)getpid(), ++c->seq);
	text = request(command, arguments, id);
	if (send_text(c, text, fd, deadline_us) < 0 ||
		read_reply(c, id, deadline_us, &reply) < 0)
		return -1;
	value = json_object_get(reply, "return");
	if (value == NULL)
		return error_reply(c, reply);
	if (ret != NULL)
		*ret = json_incref(value);
	return 0;
}

bool
client_sees_other(const char *path)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		char name[256];
		unsigned int state;

		/* Num: RefCount Protocol Flags Type St Inode Path; St 3 is connected
		 * (and accepted) */
		found = sscanf(line, "%*s %*s %*s %*s %*s %x %*s %255s", &state,
				name) == 2 &&
			state == 3 && strcmp(name, path) == 0;
	}
	if (f != NULL)
		(void)fclose(f);
	return found;
}
