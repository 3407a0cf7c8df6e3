// SPDX-License-Identifier: MIT
/* A fake QEMU in a child process; see the header. */
#include "config.h"

#include "qmp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
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

#include "base/attr.h"

static const struct {
	const char *command;
	const char *answer;
} answers[] = {
	{"qmp_capabilities", "{}"},
	{"query-status", "{\"status\": \"running\", \"running\": true}"},
	{"query-cpus-fast", "[{\"thread-id\": 11, \"cpu-index\": 0}]"},
	{"query-hotpluggable-cpus", "[{\"vcpus-count\": 4}]"},
	{"query-iothreads", "[]"},
};

/* Bound from inside its folder, since @path may be longer than a socket's name. */
static int
listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *slash = strrchr(path, '/');
	char folder[1024];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", slash + 1);
	if (fd < 0 || chdir(folder) < 0)
		return -1;
	(void)unlink(address.sun_path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return -1;
	return fd;
}

static void
play(const char *path, server_part *part, int ready)
{
	int listener;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(path);
	if (listener < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	close(ready);
	part(listener);
	_exit(0);
}

pid_t
server_start(const char *path, server_part *part)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		play(path, part, ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		fail_msg("the server does not listen on %s", path);
	close(ready[0]);
	return pid;
}

void
server_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

int
server_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		_exit(1);
	return fd;
}

int
server_say(int fd, const char *text)
{
	size_t left = strlen(text);
	ssize_t n;

	for (; left > 0; text += n, left -= (size_t)n) {
		n = send(fd, text, left, MSG_NOSIGNAL);
		if (n < 0)
			return -1;
	}
	return 0;
}

int
server_hear(int fd, char *command, char *id)
{
	char line[256];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1) {
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	if (sscanf(line, "{\"execute\":\"%31[^\"]\",\"id\":\"%31[^\"]\"}", command,
		    id) != 2)
		return -1;
	return 0;
}

const char *
server_answer(const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (strcmp(answers[i].command, command) == 0)
			return answers[i].answer;
	}
	return "{\"error\": 1}";
}

void
server_agree(int fd)
{
	char command[32];
	char text[64];
	char id[32];

	if (server_hear(fd, command, id) < 0)
		return;
	snprintf(text, sizeof(text), "{\"return\": {}, \"id\": \"%s\"}\r\n", id);
	(void)server_say(fd, text);
}

void
server_serve(int fd)
{
	(void)server_serve_late(fd, 0, 0);
}

int
server_serve_late(int fd, unsigned int nth, unsigned int ms)
{
	unsigned int asked = 0;
	char command[32];
	char text[256];
	char id[32];

	(void)server_say(fd, SERVER_GREETING);
	while (server_hear(fd, command, id) == 0) {
		const char *answer = server_answer(command);
		char name[64];

		if (strcmp(command, "query-status") == 0 && ++asked == nth)
			(void)poll(NULL, 0, (int)ms);
		snprintf(name, sizeof(name), "{\"name\": \"asked %u\"}", asked);
		if (strcmp(command, "query-name") == 0)
			answer = name;
		snprintf(text, sizeof(text), "{\"return\": %s, \"id\": \"%s\"}\r\n",
			answer, id);
		if (server_say(fd, text) < 0)
			return -1;
	}
	return 0;
}
