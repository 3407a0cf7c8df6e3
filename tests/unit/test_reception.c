// SPDX-License-Identifier: MIT
/* Who dials in and what becomes of them, with real sockets and processes. */
#include "config.h"

#include "qmp/reception.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "diallers.h"

/* The other end has closed. */
static bool
is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
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
	assert_in_range(ms, RECEPTION_WAIT_MS - 50, RECEPTION_WAIT_MS + SOON_MS);
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

/* In a pid namespace of its own, to which this process does not belong. */
static int
receive_one_without_a_pid(struct fixture *f)
{
	unsigned int ms;

	open_reception(f);
	ms = run_until(f, &f->strangers, 1, SOON_MS);
	return f->stranger.pid == 0 && f->dialled == 0 && ms < RECEPTION_WAIT_MS ? 0
										 : 1;
}

static void
one_whose_process_cannot_be_named_is_sent_away(void **state)
{
	struct fixture *f = *state;
	pid_t outer;
	pid_t inner;
	int status;
	int fd;

	reception_free(f->reception);
	f->reception = NULL;
	outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		inner = fork();
		if (inner == 0)
			_exit(receive_one_without_a_pid(f));
		status = 1;
		(void)waitpid(inner, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	while ((fd = connect_to(f->path)) < 0 && waitpid(outer, &status, WNOHANG) == 0)
		run_until(f, NULL, 0, 5);
	if (fd >= 0)
		assert_int_equal(waitpid(outer, &status, 0), outer);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no other pid namespace is to be had\n");
		return;
	}
	assert_true(fd >= 0 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(is_hung_up(fd));
	close(fd);
	assert_int_equal(unlink(f->path), 0);
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
	uint64_t begin_us = clock_now_us(clock_system());

	for (unsigned int i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = start_dialler(f, 1, 0, NULL);
		run_until(f, &f->dialled, i + 1, SOON_MS);
		if (clock_now_us(clock_system()) - begin_us >
			RECEPTION_WAIT_MS * UINT64_C(900)) {
			print_message("skipped: %u clients took too long\n", i + 1);
			for (unsigned int k = 0; k <= i; k++)
				end(pids[k]);
			skip();
		}
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

/* Each tenth of them in time: a slow machine gets on too. Returns the milliseconds. */
static unsigned int
run_until_all(struct fixture *f, unsigned int n)
{
	unsigned int ms = 0;

	for (unsigned int part = 1; part <= 10; part++)
		ms += run_until(f, &f->dialled, n * part / 10, SOON_MS);
	return ms;
}

static void
a_flood_costs_nothing_that_lasts(void **state)
{
	struct fixture *f = *state;
	unsigned int fds = count_fds();
	unsigned long before_kib = rss_kib();
	pid_t pid = start_dialler(f, 5000, 0, NULL);
	uint64_t start = now_ms();

	(void)run_until_all(f, 5000);
	assert_in_range(count_fds(), fds + 1, fds + 2);
	print_message("5000 connections of a process: %ju ms, %ld KiB more\n",
		(uintmax_t)(now_ms() - start), (long)(rss_kib() - before_kib));
	assert_true(rss_kib() < before_kib + 4096);
	end(pid);
	for (unsigned int i = 0; i < 1000 && count_fds() > fds; i++)
		run_until(f, NULL, 0, 5);
	assert_int_equal(count_fds(), fds);
}

/* All QEMUs of a large host dial again at once. One that was refused would end its
 * dialler; one for which the queue has no place waits, as QEMU does. */
static void
a_thousand_at_once_are_served(void **state)
{
	struct fixture *f = *state;
	pid_t pids[10];
	unsigned int ms;

	f->take = true;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = start_dialler(f, 100, 0, NULL);
	ms = run_until_all(f, 1000);
	print_message("1000 connections at once: served in %u ms\n", ms);
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
		test(one_whose_process_cannot_be_named_is_sent_away),
		test(the_newer_connection_of_a_process_counts),
		test(of_too_many_that_wait_the_oldest_goes),
		test(it_may_be_freed_by_its_handlers),
		test(no_descriptors_is_not_the_end),
		test(a_flood_costs_nothing_that_lasts),
		test(a_thousand_at_once_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
