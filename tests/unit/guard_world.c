// SPDX-License-Identifier: MIT
/* The world of the guard's tests. */
#include "config.h"

#include "guard_world.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/accepted.h"

uint64_t
now_us(void)
{
	return clock_now_us(clock_system());
}

static int
open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		err(99, "pidfd_open");
	return fd;
}

static struct sockaddr_un
address_of(const struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	str_copy(address.sun_path, sizeof(address.sun_path), w->path);
	return address;
}

int
world_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(99, "socket");
	return fd;
}

void
world_init(struct world *w)
{
	static const char *const name = "machine";
	struct sockaddr_un address;

	*w = (struct world){.folder = procs_make_dir()};
	w->path = xasprintf("%s/103.qmp", w->folder);
	address = address_of(w);
	w->listener = world_socket();
	if (bind(w->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(w->listener, 1) < 0)
		err(99, "%s", w->path);
	w->process = procs_spawn(&name, 1);
	w->pidfd = open_pidfd(w->process.pid);
}

void
world_fini(struct world *w)
{
	procs_reap(&w->process);
	close(w->pidfd);
	close(w->listener);
	free(w->path);
	procs_remove_dir(w->folder);
}

int
world_try_connect(const struct world *w, int fd)
{
	struct sockaddr_un address = address_of(w);

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int
world_connect(const struct world *w)
{
	int fd = world_socket();
	int r = world_try_connect(w, fd);

	if (r < 0)
		errx(99, "connect: %s", strerror(-r));
	return fd;
}

int
world_accept(const struct world *w)
{
	struct pollfd p = {.fd = w->listener, .events = POLLIN};
	int fd;

	(void)poll(&p, 1, (int)WORLD_LIMIT_MS);
	fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		err(99, "accept");
	return fd;
}

/* One that is not connected hangs up (POLLHUP) all the time, which is no end. */
bool
world_is_ended(int fd, unsigned int ms)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	uint64_t limit_us = now_us() + ms * UINT64_C(1000);

	while (poll(&p, 1, (int)ms) == 1 && (p.revents & POLLRDHUP) == 0 &&
		now_us() < limit_us)
		nanosleep(&tick, NULL);
	return (p.revents & POLLRDHUP) != 0;
}

/* -- daemons */

static void
on_guard_change(void *owner, bool alive)
{
	(void)owner;
	(void)alive;
}

static void
run_daemon(struct daemon *d, daemon_begin *begin, void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	d->pid = getpid();
	d->base = event_base_new();
	d->guard = guard_new(d->base, on_guard_change, d);
	daemon_say(d, guard_pid(d->guard));
	begin(d, arg);
	daemon_say(d, 0);
	event_base_loop(d->base, EVLOOP_NO_EXIT_ON_EMPTY);
	_exit(0);
}

void
daemon_start(struct daemon *d, struct world *w, daemon_begin *begin, void *arg)
{
	int ends[2];

	if (pipe(ends) < 0)
		err(99, "pipe");
	*d = (struct daemon){.world = w, .heard = ends[0], .said = ends[1]};
	d->pid = fork();
	if (d->pid < 0)
		err(99, "fork");
	if (d->pid == 0)
		run_daemon(d, begin, arg);
	close(ends[1]);
	d->guard_pid = daemon_hear(d);
	d->guard_pidfd = open_pidfd(d->guard_pid);
	if (daemon_hear(d) != 0)
		errx(99, "the daemon has not begun");
}

void
daemon_stop(const struct daemon *d)
{
	kill(d->pid, SIGSTOP);
	daemon_await_stop(d);
}

void
daemon_await_stop(const struct daemon *d)
{
	int status;

	if (waitpid(d->pid, &status, WUNTRACED) != d->pid || !WIFSTOPPED(status))
		errx(99, "the daemon does not stop");
}

void
daemon_kill(struct daemon *d)
{
	procs_kill_pid(d->pid);
	close(d->heard);
	close(d->guard_pidfd);
}

void
daemon_say(const struct daemon *d, int number)
{
	if (write(d->said, &number, sizeof(number)) != (ssize_t)sizeof(number))
		_exit(99);
}

int
daemon_hear(const struct daemon *d)
{
	int number;

	if (read(d->heard, &number, sizeof(number)) != (ssize_t)sizeof(number))
		errx(99, "the daemon has ended");
	return number;
}

int
daemon_hold(const struct daemon *d, uint64_t key, const struct guard_terms *terms)
{
	int fd = world_socket();

	if (guard_hold(d->guard, key, fd, terms) < 0)
		errx(99, "no guard");
	if (world_try_connect(d->world, fd) < 0)
		errx(99, "no connection");
	return fd;
}

/* -- processes */

unsigned int
count_fds_of(pid_t pid)
{
	auto_free char *path = xasprintf("/proc/%d/fd", (int)pid);
	DIR *stream = opendir(path);
	unsigned int n = 0;

	if (stream == NULL)
		err(99, "%s", path);
	while (readdir(stream) != NULL)
		n++;
	closedir(stream);
	return n - 2; /* . and .. */
}

/* The standard streams, epoll, the pipe, the daemon's pidfd, and where there is one,
 * the kernel's socket diagnosis. */
static unsigned int
own_fds(void)
{
	int diag = accepted_open();

	if (diag < 0)
		return 6;
	close(diag);
	return 7;
}

/* It has its name when it has closed what it had from us. */
static bool
is_on_its_own(pid_t guard)
{
	char name[32] = "";
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)guard);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	(void)!fgets(name, sizeof(name), f);
	(void)fclose(f);
	return strcmp(name, "qmpin-guard\n") == 0;
}

/* It has done what it was told, and nothing half: at its start, and when it asks the
 * kernel, it has more descriptors for a moment. */
static bool
is_asleep(pid_t guard)
{
	auto_free char *path = xasprintf("/proc/%d/stat", (int)guard);
	char line[64] = "";
	const char *state;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	(void)!fgets(line, sizeof(line), f);
	(void)fclose(f);
	state = strstr(line, ") ");
	return state != NULL && state[2] == 'S';
}

void
wait_for_copies(pid_t guard, unsigned int n)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	uint64_t limit_us = now_us() + WORLD_LIMIT_MS * 1000;

	n += own_fds();
	while (!is_on_its_own(guard) || !is_asleep(guard) || count_fds_of(guard) != n) {
		if (now_us() > limit_us)
			errx(99, "%u descriptors instead of %u", count_fds_of(guard),
				n);
		nanosleep(&tick, NULL);
	}
}

bool
has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, (int)WORLD_LIMIT_MS) == 1;
}

unsigned long
field_of(pid_t pid, const char *file, const char *field)
{
	auto_free char *path = xasprintf("/proc/%d/%s", (int)pid, file);
	FILE *stream = fopen(path, "re");
	unsigned long value = 0;
	char line[256];

	if (stream == NULL)
		err(99, "%s", path);
	while (fgets(line, sizeof(line), stream) != NULL) {
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtoul(line + strlen(field), NULL, 10);
	}
	(void)fclose(stream);
	return value;
}
