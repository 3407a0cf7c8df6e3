// SPDX-License-Identifier: MIT
/* A reception and those who dial; see the header. */
#include "config.h"

#include "diallers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"

uint64_t
now_ms(void)
{
	return clock_now_us(clock_system()) / 1000;
}

static bool
on_dial_in(void *owner, int fd, const struct ucred *peer)
{
	struct fixture *f = owner;

	f->dialled++;
	f->dialler = *peer;
	if (f->take) {
		if (f->taken >= 0)
			close(f->taken);
		f->taken = fd;
	}
	if (f->free_at_dial) {
		reception_free(f->reception);
		f->reception = NULL;
	}
	return f->take;
}

static void
on_stranger(void *owner, const struct ucred *peer)
{
	struct fixture *f = owner;

	f->strangers++;
	f->stranger = *peer;
	if (f->free_at_leave) {
		reception_free(f->reception);
		f->reception = NULL;
	}
}

const struct reception_handlers handlers = {on_dial_in, on_stranger};

void
open_reception(struct fixture *f)
{
	struct err e = ERR_NONE;

	if (reception_new(f->base, f->dir, &handlers, f, &f->reception, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
}

int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->taken = -1;
	str_copy(f->dir, sizeof(f->dir), "/tmp/qmpin-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(f->path, sizeof(f->path), "%s/monitor.sock", f->dir);
	f->base = event_base_new();
	assert_non_null(f->base);
	open_reception(f);
	*state = f;
	return 0;
}

int
teardown(void **state)
{
	struct fixture *f = *state;

	reception_free(f->reception);
	event_base_free(f->base);
	if (f->taken >= 0)
		close(f->taken);
	if (rmdir(f->dir) < 0)
		fail_msg("%s: %s", f->dir, strerror(errno));
	free(f);
	return 0;
}

unsigned int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

static bool
reached(const unsigned int *number, unsigned int wanted)
{
	return number != NULL && *number >= wanted;
}

unsigned int
run_until(struct fixture *f, const unsigned int *number, unsigned int wanted,
	unsigned int limit_ms)
{
	const struct timeval tick_every = {.tv_usec = 2000};
	struct event *tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t start = now_ms();

	event_add(tick, &tick_every);
	while (!reached(number, wanted) && now_ms() < start + limit_ms)
		event_base_loop(f->base, EVLOOP_ONCE);
	event_free(tick);
	if (number != NULL && !reached(number, wanted))
		fail_msg("%u instead of %u after %u ms", *number, wanted, limit_ms);
	return (unsigned int)(now_ms() - start);
}

/* It may have been taken and left again before that (EPIPE), which is no failure. */
static bool
greet(int fd)
{
	return send(fd, "{\"QMP\": {}}\r\n", 13, MSG_NOSIGNAL) == 13 || errno == EPIPE;
}

pid_t
start_dialler(const struct fixture *f, unsigned int n, uid_t uid, int *worst)
{
	struct rlimit many = {65536, 65536};
	int report[2];
	pid_t pid;

	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int r = 0;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setrlimit(RLIMIT_NOFILE, &many);
		if (uid != 0 && setresuid(uid, uid, uid) < 0)
			_exit(1);
		for (unsigned int i = 0; i < n && r >= 0; i++) {
			r = connect_to(f->path);
			if (r >= 0 && !greet(r))
				r = -errno;
		}
		r = r < 0 ? r : 0;
		if (write(report[1], &r, sizeof(r)) != sizeof(r))
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(report[1]);
	if (worst != NULL)
		assert_int_equal(
			read(report[0], worst, sizeof(*worst)), sizeof(*worst));
	close(report[0]);
	return pid;
}

void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
