// SPDX-License-Identifier: MIT
/*
 * Whatever the client does, this never blocks: what it does not read is kept for it, as
 * QEMU does.
 */
#include "config.h"

#include "monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/json.h"

/* As QEMU's character devices. */
#define BACKLOG 1
/* Of a command that does not end. */
#define IN_MAX 65536u
/* Of what the client does not read. */
#define OUT_MAX 65536u

#define GREETING                                                                       \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": " \
	"7}, \"package\": \"fleet\"}, \"capabilities\": [\"oob\"]}}\r\n"

int
monitor_server_init(struct monitor_server *m, const char *path,
	json_t *(*answer)(void *owner, const char *command), void *owner)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*m = (struct monitor_server){.client = -1, .answer = answer, .owner = owner};
	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listener < 0)
		return errno;
	(void)unlink(path);
	if (bind(m->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(m->listener, BACKLOG) < 0)
		return errno;
	return 0;
}

struct pollfd
monitor_server_wants(const struct monitor_server *m)
{
	short events = POLLIN;

	if (m->client < 0)
		return (struct pollfd){.fd = m->listener, .events = events};
	if (m->out.len > 0)
		events |= POLLOUT;
	return (struct pollfd){.fd = m->client, .events = events};
}

static void
hang_up(struct monitor_server *m)
{
	close(m->client);
	m->client = -1;
	m->agreed = false;
	strbuf_fini(&m->in);
	strbuf_fini(&m->out);
}

static void
flush_out(struct monitor_server *m)
{
	ssize_t n = send(m->client, m->out.s, m->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		strbuf_drop(&m->out, (size_t)n);
}

/* jansson writes the separators that QEMU writes. */
static void
say(struct monitor_server *m, json_t *message)
{
	auto_free char *text = json_dumps(message, 0);

	json_decref(message);
	strbuf_adds(&m->out, text);
	strbuf_adds(&m->out, "\r\n");
}

static json_t *
unknown(const char *command, bool agreed)
{
	if (!agreed)
		return json_pack("{s{ss ss}}", "error", "class", "CommandNotFound",
			"desc",
			"Expecting capabilities negotiation with 'qmp_capabilities'");
	return json_pack("{s{ss ss++}}", "error", "class", "CommandNotFound", "desc",
		"The command ", command, " has not been found");
}

static void
execute(struct monitor_server *m, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "execute"));
	json_t *id = json_object_get(request, "id");
	json_t *value = NULL;
	json_t *reply;

	if (command == NULL)
		command = "";
	if (m->agreed)
		value = m->answer(m->owner, command);
	else if (strcmp(command, "qmp_capabilities") == 0)
		value = json_object();
	reply = value != NULL ? json_pack("{so}", "return", value)
			      : unknown(command, m->agreed);
	m->agreed = m->agreed || value != NULL;
	if (id != NULL)
		json_object_set(reply, "id", id);
	say(m, reply);
}

/* Returns false when it is no command and never will be. */
static bool
take_commands(struct monitor_server *m)
{
	while (m->in.len > 0) {
		json_error_t error;
		json_t *request =
			json_loadb(m->in.s, m->in.len, JSON_DISABLE_EOF_CHECK, &error);

		if (request == NULL) {
			bool blank = strspn(m->in.s, " \r\n\t") == m->in.len;

			if (blank)
				strbuf_fini(&m->in);
			return blank || json_error_code(&error) ==
						json_error_premature_end_of_input;
		}
		strbuf_drop(&m->in, (size_t)error.position);
		execute(m, request);
		json_decref(request);
	}
	return true;
}

static void
hear(struct monitor_server *m)
{
	char bytes[4096];
	ssize_t n = recv(m->client, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		strbuf_add(&m->in, bytes, (size_t)n);
	if (n <= 0 || m->in.len > IN_MAX || !take_commands(m))
		hang_up(m);
}

void
monitor_server_serve(struct monitor_server *m, short revents)
{
	if (revents == 0)
		return;
	if (m->client < 0) {
		m->client = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
		if (m->client < 0)
			return;
		strbuf_adds(&m->out, GREETING);
	} else if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
		hear(m);
	}
	if (m->client >= 0 && m->out.len > 0)
		flush_out(m);
}

bool
monitor_server_is_behind(const struct monitor_server *m)
{
	return m->client < 0 || !m->agreed || m->out.len > OUT_MAX;
}

void
monitor_server_event(struct monitor_server *m, const char *name, json_t *data)
{
	struct timespec now;
	json_t *event;

	if (m->client < 0 || !m->agreed) {
		json_decref(data);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	event = json_pack("{s{sI sI} ss}", "timestamp", "seconds",
		(json_int_t)now.tv_sec, "microseconds", (json_int_t)now.tv_nsec / 1000,
		"event", name);
	if (data != NULL)
		json_object_set_new(event, "data", data);
	say(m, event);
	flush_out(m);
}
