// SPDX-License-Identifier: MIT
/* Where QEMUs dial in, with real sockets and processes. */
#include "config.h"

#include "qmp/reception.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"

#define SOON_MS 20000u

struct fixture {
	struct event_base *base;
	struct reception *reception;
	char dir[64];
	char path[128];
	bool take;	    /* what on_dial_in answers */
	bool free_at_dial;  /* frees the reception inside */
	bool free_at_leave; /* frees it inside on_stranger */
	unsigned int dialled;
	unsigned int strangers;
	struct ucred dialler;
	struct ucred stranger;
	int taken; /* the last descriptor taken over, -1 */
};

static uint64_t
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

static const struct reception_handlers handlers = {on_dial_in, on_stranger};

static void
open_reception(struct fixture *f)
{
	struct err e = ERR_NONE;

	if (reception_new(f->base, f->dir, &handlers, f, &f->reception, &e) < 0)
		fail_msg("%s: %s", e.source, e.text);
}

static int
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

static int
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

static unsigned int
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

static int
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

/* The other end has closed. */
static bool
is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
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

/* Run the loop until *@number is @wanted or the time is over; what it took. NULL: for
 * that long. */
static unsigned int
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

/* A child that connects @n times, says a greeting on each, and tells how many went well
 * before it waits to be killed. */
static pid_t
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
			if (r >= 0 && write(r, "{\"QMP\": {}}\r\n", 13) != 13)
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

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
who_dials_is_told_by_the_kernel(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	f->take = true;
	pid = start_dialler(f, 1, 0, NULL);
	run_until(f, &f->dialled, 1, SOON_MS);
	assert_int_equal(f->dialler.pid, pid);
	assert_int_equal(f->dialler.uid, getuid());
	assert_true((fcntl(f->taken, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(f->taken, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(reception_claim(f->reception, pid), -ENOENT);
	end(pid);
}

static void
one_that_waits_can_be_claimed_with_what_it_said(void **state)
{
	struct fixture *f = *state;
	char said[64] = "";
	int worst;
	pid_t pid = start_dialler(f, 1, 0, &worst);
	int fd;

	assert_int_equal(worst, 0);
	run_until(f, &f->dialled, 1, SOON_MS);
	run_until(f, NULL, 0, 100);
	assert_int_equal(reception_claim(f->reception, pid + 1), -ENOENT);
	fd = reception_claim(f->reception, pid);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, said, sizeof(said) - 1), 13);
	assert_string_equal(said, "{\"QMP\": {}}\r\n");
	assert_int_equal(reception_claim(f->reception, pid), -ENOENT);
	run_until(f, NULL, 0, RECEPTION_WAIT_MS + 300);
	assert_false(is_hung_up(fd));
	assert_int_equal(f->strangers, 0);
	close(fd);
	end(pid);
}

static void
a_stranger_is_hung_up_on_in_time(void **state)
{
	struct fixture *f = *state;
	unsigned int fds = count_fds();
	int fd = connect_to(f->path);
	unsigned int ms;

	ms = run_until(f, &f->strangers, 1, SOON_MS);
	assert_in_range(ms, RECEPTION_WAIT_MS - 50, RECEPTION_WAIT_MS + 5000);
	assert_int_equal(f->stranger.pid, getpid());
	assert_true(is_hung_up(fd));
	assert_int_equal(reception_claim(f->reception, getpid()), -ENOENT);
	close(fd);
	assert_int_equal(count_fds(), fds);
}

static void
one_that_hangs_up_is_forgotten_in_silence(void **state)
{
	struct fixture *f = *state;
	unsigned int fds = count_fds();
	pid_t pid = start_dialler(f, 1, 0, NULL);

	run_until(f, &f->dialled, 1, SOON_MS);
	assert_int_equal(count_fds(), fds + 1);
	end(pid);
	for (unsigned int i = 0; i < 1000 && count_fds() > fds; i++)
		run_until(f, NULL, 0, 5);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(reception_claim(f->reception, pid), -ENOENT);
	assert_int_equal(f->strangers, 0);
}

static void
the_newer_connection_of_a_process_counts(void **state)
{
	struct fixture *f = *state;
	int older = connect_to(f->path);
	int newer;
	int fd;

	run_until(f, &f->dialled, 1, SOON_MS);
	newer = connect_to(f->path);
	run_until(f, &f->dialled, 2, SOON_MS);
	assert_true(is_hung_up(older));
	assert_false(is_hung_up(newer));
	assert_int_equal(f->strangers, 0);
	fd = reception_claim(f->reception, getpid());
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(reception_claim(f->reception, getpid()), -ENOENT);
	close(fd);
	close(older);
	close(newer);
}

static void
of_too_many_that_wait_the_oldest_goes(void **state)
{
	struct fixture *f = *state;
	unsigned int fds = count_fds();
	pid_t pids[RECEPTION_WAITING_MAX + 10];

	for (unsigned int i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = start_dialler(f, 1, 0, NULL);
		run_until(f, &f->dialled, i + 1, SOON_MS);
		assert_int_equal(f->strangers,
			i < RECEPTION_WAITING_MAX ? 0 : i + 1 - RECEPTION_WAITING_MAX);
		if (f->strangers > 0)
			assert_int_equal(
				f->stranger.pid, pids[i - RECEPTION_WAITING_MAX]);
	}
	assert_int_equal(count_fds(), fds + RECEPTION_WAITING_MAX);
	reception_free(f->reception);
	f->reception = NULL;
	assert_int_equal(count_fds(), fds - 1);
	for (unsigned int i = 0; i < ARRAY_LEN(pids); i++)
		end(pids[i]);
}

static void
only_its_owner_may_connect(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int worst;
	pid_t pid;

	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	if (getuid() != 0) {
		print_message("not root: other users are not tried\n");
		return;
	}
	pid = start_dialler(f, 1, 65534, &worst);
	assert_int_equal(worst, -EACCES);
	end(pid);
	run_until(f, NULL, 0, 50);
	assert_int_equal(f->dialled, 0);
}

/* Whatever the mask of the process, and at no moment otherwise. */
static void
the_file_is_never_wider(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0177};
	struct fixture *f = *state;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t old = umask(masks[i]);

		reception_free(f->reception);
		assert_int_equal(lstat(f->path, &st), -1);
		open_reception(f);
		umask(old);
		assert_int_equal(lstat(f->path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	}
}

/* QEMU reports, and ours are known by, the name that the listener was bound to. */
static void
the_socket_is_bound_to_its_own_name(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(peer);
	int fd = connect_to(f->path);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	assert_string_equal(peer.sun_path, f->path);
	assert_string_equal(reception_path(f->reception), f->path);
	close(fd);
}

static void
a_stale_file_is_replaced(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	reception_free(f->reception);
	f->reception = NULL;
	if (pid == 0) {
		struct reception *other;

		/* dies without taking its file away */
		_exit(reception_new(f->base, f->dir, &handlers, f, &other, NULL) < 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(connect_to(f->path), -ECONNREFUSED);
	open_reception(f);
	f->take = true;
	pid = start_dialler(f, 1, 0, NULL);
	run_until(f, &f->dialled, 1, SOON_MS);
	assert_int_equal(f->dialler.pid, pid);
	end(pid);
}

static void
only_its_own_file_is_removed(void **state)
{
	struct fixture *f = *state;
	struct reception *older = f->reception;
	struct stat st;
	int fd;

	open_reception(f);
	reception_free(older);
	assert_int_equal(lstat(f->path, &st), 0);
	fd = connect_to(f->path);
	assert_true(fd >= 0);
	close(fd);
}

static void
what_is_no_socket_stays(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_NONE;
	struct reception *r = NULL;

	reception_free(f->reception);
	f->reception = NULL;
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(reception_new(f->base, f->dir, &handlers, f, &r, &e), -EEXIST);
	assert_null(r);
	assert_string_equal(e.source, f->path);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(symlink("/etc/passwd", f->path), 0);
	assert_int_equal(
		reception_new(f->base, f->dir, &handlers, f, &r, NULL), -EEXIST);
	assert_int_equal(unlink(f->path), 0);
}

static void
a_place_that_qemu_cannot_dial_is_refused(void **state)
{
	struct fixture *f = *state;
	char dir[200] = "/tmp/";
	struct reception *r = NULL;
	struct err e = ERR_NONE;

	memset(dir + 5, 'x', sizeof(dir) - 6);
	dir[sizeof(((struct sockaddr_un *)0)->sun_path) - strlen("/monitor.sock")] =
		'\0';
	assert_int_equal(
		reception_new(f->base, dir, &handlers, f, &r, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "too long"));
	dir[strlen(dir) - 1] = '\0'; /* just fits, but is not there */
	assert_int_equal(reception_new(f->base, dir, &handlers, f, &r, NULL), -ENOENT);
	assert_int_equal(
		reception_new(f->base, "run", &handlers, f, &r, NULL), -EINVAL);
	assert_int_equal(reception_new(f->base, "", &handlers, f, &r, NULL), -EINVAL);
	assert_int_equal(
		reception_new(f->base, "/tmp/\xff", &handlers, f, &r, NULL), -EILSEQ);
	assert_null(r);
}

static void
the_path_is_spelt_one_way(void **state)
{
	struct fixture *f = *state;

	reception_free(f->reception);
	str_copy(f->dir + strlen(f->dir), 4, "//");
	open_reception(f);
	assert_string_equal(reception_path(f->reception), f->path);
}

static void
it_may_be_freed_by_its_handlers(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int fds = count_fds();
		pid_t pids[3];

		/* taken over or not, and more in the queue */
		f->take = i % 2 == 1;
		f->free_at_dial = i < 2;
		f->free_at_leave = i >= 2;
		f->dialled = 0;
		f->strangers = 0;
		for (size_t k = 0; k < ARRAY_LEN(pids); k++)
			pids[k] = start_dialler(f, 1, 0, NULL);
		if (f->free_at_leave && f->take) {
			f->take = false;
			run_until(f, &f->dialled, 3, SOON_MS);
		}
		run_until(f, f->free_at_dial ? &f->dialled : &f->strangers, 1, SOON_MS);
		assert_null(f->reception);
		run_until(f, NULL, 0, 20);
		assert_int_equal(f->dialled, f->free_at_dial ? 1 : 3);
		assert_int_equal(f->strangers, f->free_at_leave ? 1 : 0);
		if (f->taken >= 0)
			close(f->taken);
		f->taken = -1;
		assert_int_equal(count_fds(), fds - 1);
		for (size_t k = 0; k < ARRAY_LEN(pids); k++)
			end(pids[k]);
		open_reception(f);
	}
}

/* Without descriptors it waits; it does not spin, and goes on when there are some. */
static void
no_descriptors_is_not_the_end(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit;
	struct rlimit none;
	struct timespec cpu[2];
	int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	f->take = true;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	pid = start_dialler(f, 1, 0, NULL);
	close(low);
	none = (struct rlimit){(rlim_t)low, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
	run_until(f, NULL, 0, 700);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(f->dialled, 0);
	assert_true((cpu[1].tv_sec - cpu[0].tv_sec) * 1000 +
			    (cpu[1].tv_nsec - cpu[0].tv_nsec) / 1000000 <
		    350);
	run_until(f, &f->dialled, 1, SOON_MS);
	assert_int_equal(f->dialler.pid, pid);
	end(pid);
}

static unsigned long
rss_kib(void)
{
	char line[128];
	unsigned long kib = 0;
	FILE *status = fopen("/proc/self/status", "re");

	assert_non_null(status);
	while (fgets(line, sizeof(line), status) != NULL)
		if (str_has_prefix(line, "VmRSS:"))
			kib = strtoul(line + 6, NULL, 10);
	fclose(status);
	return kib;
}

static void
a_flood_costs_nothing_that_lasts(void **state)
{
	struct fixture *f = *state;
	unsigned int fds = count_fds();
	unsigned long before_kib = rss_kib();
	pid_t pid = start_dialler(f, 5000, 0, NULL);
	uint64_t start = now_ms();

	run_until(f, &f->dialled, 5000, 60000);
	assert_in_range(count_fds(), fds + 1, fds + 2);
	print_message("5000 connections of a process: %ju ms, %ld KiB more\n",
		(uintmax_t)(now_ms() - start), (long)(rss_kib() - before_kib));
	assert_true(rss_kib() < before_kib + 4096);
	end(pid);
	for (unsigned int i = 0; i < 1000 && count_fds() > fds; i++)
		run_until(f, NULL, 0, 5);
	assert_int_equal(count_fds(), fds);
}

/* All QEMUs of a large host dial again at once; the daemon was away for that moment. */
static void
a_thousand_at_once_are_served(void **state)
{
	struct fixture *f = *state;
	int refused = 0;
	int worst = 0;
	pid_t pids[10];
	uint64_t start;

	f->take = true;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = start_dialler(f, 100, 0, &worst);
		refused += worst != 0;
	}
	assert_int_equal(refused, 0);
	start = now_ms();
	run_until(f, &f->dialled, 1000, SOON_MS);
	print_message("1000 connections that waited: served in %ju ms\n",
		(uintmax_t)(now_ms() - start));
	assert_int_equal(f->strangers, 0);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		end(pids[i]);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(who_dials_is_told_by_the_kernel),
		test(one_that_waits_can_be_claimed_with_what_it_said),
		test(a_stranger_is_hung_up_on_in_time),
		test(one_that_hangs_up_is_forgotten_in_silence),
		test(the_newer_connection_of_a_process_counts),
		test(of_too_many_that_wait_the_oldest_goes),
		test(only_its_owner_may_connect),
		test(the_file_is_never_wider),
		test(the_socket_is_bound_to_its_own_name),
		test(a_stale_file_is_replaced),
		test(only_its_own_file_is_removed),
		test(what_is_no_socket_stays),
		test(a_place_that_qemu_cannot_dial_is_refused),
		test(the_path_is_spelt_one_way),
		test(it_may_be_freed_by_its_handlers),
		test(no_descriptors_is_not_the_end),
		test(a_flood_costs_nothing_that_lasts),
		test(a_thousand_at_once_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
