// SPDX-License-Identifier: MIT
/* A real QEMU for tests of the monitor; see the header. */
#include "config.h"

#include "qmp_qemu.h"

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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/dial.h"

#define START_MS 30000u

/* Ends with the test, also with one that fails while QEMU is stopped. */
static void
run_qemu(const char *program, const char *mine, const char *theirs)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp(program, program, "-accel", "tcg", "-display", "none", "-nodefaults",
		"-machine", "q35", "-smp", "2,maxcpus=4", "-m", "32", "-S", "-name",
		"vm103", "-object", "iothread,id=io0", "-qmp", mine, "-qmp", theirs,
		(char *)NULL);
	_exit(127);
}

static uint64_t
now_ms(void)
{
	return clock_now_us(clock_system()) / 1000;
}

/* It makes the second monitor last: then the first one is there too. */
static bool
is_there(struct qemu *q)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint64_t end = now_ms() + START_MS;

	while (now_ms() < end) {
		q->other = qemu_connect(q->other_path);
		if (q->other >= 0)
			return true;
		if (waitpid(q->pid, NULL, WNOHANG) == q->pid)
			break;
		nanosleep(&pause, NULL);
	}
	return false;
}

bool
qemu_start(struct qemu *q, const char *program, const char *path)
{
	const struct timeval patience = {.tv_sec = 30};
	auto_free char *mine = xasprintf("unix:%s,server=on,wait=off", path);
	auto_free char *theirs = NULL;

	snprintf(q->other_path, sizeof(q->other_path), "%s.other", path);
	theirs = xasprintf("unix:%s,server=on,wait=off", q->other_path);
	q->other = -1;
	q->pid = fork();
	assert_true(q->pid >= 0);
	if (q->pid == 0)
		run_qemu(program, mine, theirs);
	if (!is_there(q)) {
		q->pid = 0;
		return false;
	}
	setsockopt(q->other, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	qemu_command(q, "{\"execute\": \"qmp_capabilities\"}\n");
	return true;
}

void
qemu_stop(struct qemu *q)
{
	if (q->other >= 0)
		close(q->other);
	q->other = -1;
	if (q->pid > 0) {
		kill(q->pid, SIGKILL);
		waitpid(q->pid, NULL, 0);
	}
	q->pid = 0;
	(void)unlink(q->other_path);
}

void
qemu_command(struct qemu *q, const char *text)
{
	struct strbuf heard = {0};
	char c;

	assert_int_equal(send(q->other, text, strlen(text), 0), strlen(text));
	while (strstr(strbuf_text(&heard), "\"return\"") == NULL ||
		heard.s[heard.len - 1] != '\n') {
		if (recv(q->other, &c, 1, 0) != 1)
			fail_msg("%s: %s", text, strbuf_text(&heard));
		strbuf_add(&heard, &c, 1);
		assert_null(strstr(heard.s, "\"error\""));
	}
	strbuf_fini(&heard);
}

int
qemu_connect(const char *path)
{
	struct ucred peer;
	int fd = dial_socket();

	assert_true(fd >= 0);
	if (dial_connect(fd, path, &peer, NULL) < 0) {
		close(fd);
		return -1;
	}
	(void)fcntl(fd, F_SETFL, 0);
	return fd;
}

int
qemu_expect(int fd, const char *text, unsigned int limit_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct strbuf heard = {0};
	uint64_t begin = now_ms();
	int took = -1;
	char c;

	while (now_ms() - begin < limit_ms && poll(&readable, 1, 10) >= 0) {
		if (readable.revents == 0)
			continue;
		if (recv(fd, &c, 1, 0) != 1)
			break;
		strbuf_add(&heard, &c, 1);
		if (strstr(heard.s, text) == NULL)
			continue;
		took = (int)(now_ms() - begin);
		break;
	}
	strbuf_fini(&heard);
	return took;
}
