// SPDX-License-Identifier: MIT
/* What a service manager hears: a real socket stands in for systemd's. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/notify.h"

struct manager {
	char dir[64];
	struct sockaddr_un address;
	int fd;
};

static uint64_t
fixed_us(const struct clock *c UNUSED)
{
	return 123456789;
}

static const struct clock fixed = {fixed_us, fixed_us};

static void
set_pid(const char *name, pid_t pid)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	assert_int_equal(setenv(name, text, 1), 0);
}

static int
start_manager(void **state)
{
	struct manager *m = xcalloc(1, sizeof(*m));

	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	(void)snprintf(m->dir, sizeof(m->dir), "/tmp/qmpin-test-XXXXXX");
	if (mkdtemp(m->dir) == NULL)
		return -1;
	m->address.sun_family = AF_UNIX;
	(void)snprintf(
		m->address.sun_path, sizeof(m->address.sun_path), "%s/notify", m->dir);
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(m->fd, (const struct sockaddr *)&m->address, sizeof(m->address)) < 0)
		return -1;
	if (setenv("NOTIFY_SOCKET", m->address.sun_path, 1) < 0)
		return -1;
	*state = m;
	return 0;
}

static int
stop_manager(void **state)
{
	struct manager *m = *state;

	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	(void)unlink(m->address.sun_path);
	(void)rmdir(m->dir);
	(void)close(m->fd);
	free(m);
	return 0;
}

/* The next message; "" when there is none. A datagram is there as soon as it is sent.
 */
static const char *
hear(const struct manager *m, char *buf, size_t size)
{
	ssize_t n = recv(m->fd, buf, size - 1, MSG_DONTWAIT);

	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void
each_message_is_heard(void **state)
{
	char buf[1024];
	struct notify n;

	notify_open(&n);
	assert_true(n.active);
	assert_int_equal(notify_ready(&n, "2 VMs"), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "READY=1\nSTATUS=2 VMs");
	assert_int_equal(notify_reloading(&n, &fixed), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)),
		"RELOADING=1\nMONOTONIC_USEC=123456789");
	assert_int_equal(notify_status(&n, "3 VMs, 8 vCPUs"), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "STATUS=3 VMs, 8 vCPUs");
	assert_int_equal(notify_alive(&n), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "WATCHDOG=1");
	assert_int_equal(notify_stopping(&n), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "STOPPING=1");
	assert_string_equal(hear(*state, buf, sizeof(buf)), "");
	assert_string_equal(
		getenv("NOTIFY_SOCKET"), ((struct manager *)*state)->address.sun_path);
}

static void
a_status_stays_one_line(void **state)
{
	char status[3000];
	char buf[1024];
	struct notify n;

	notify_open(&n);
	assert_int_equal(notify_status(&n, "a\nSTOPPING=1"), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "STATUS=a\\x0aSTOPPING=1");
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	assert_int_equal(notify_status(&n, status), 0);
	assert_int_equal(
		strlen(hear(*state, buf, sizeof(buf))), strlen("STATUS=") + 511);
}

static void
without_a_manager_nothing_is_sent(void **state)
{
	char buf[64];
	struct notify n;

	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_open(&n);
	assert_false(n.active);
	assert_int_equal(n.alive_us, 0);
	assert_int_equal(notify_ready(&n, ""), 0);
	assert_int_equal(notify_reloading(&n, &fixed), 0);
	assert_int_equal(notify_alive(&n), 0);
	assert_int_equal(notify_stopping(&n), 0);
	assert_string_equal(hear(*state, buf, sizeof(buf)), "");
}

static void
a_manager_that_is_gone_is_an_error(void **state)
{
	struct manager *m = *state;
	struct notify n;

	notify_open(&n);
	assert_int_equal(unlink(m->address.sun_path), 0);
	assert_int_equal(notify_ready(&n, ""), -ENOENT);
	assert_int_equal(notify_alive(&n), -ENOENT);
}

static void
the_watchdog_is_fed_twice_an_interval(void **state UNUSED)
{
	struct notify n;

	assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	set_pid("WATCHDOG_PID", getpid());
	notify_open(&n);
	assert_int_equal(n.alive_us, 15000000);
	set_pid("WATCHDOG_PID", getpid() + 1); /* meant for another process */
	notify_open(&n);
	assert_int_equal(n.alive_us, 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "garbage", 1), 0);
	set_pid("WATCHDOG_PID", getpid());
	notify_open(&n);
	assert_int_equal(n.alive_us, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_manager, stop_manager)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_message_is_heard),
		TEST(a_status_stays_one_line),
		TEST(without_a_manager_nothing_is_sent),
		TEST(a_manager_that_is_gone_is_an_error),
		TEST(the_watchdog_is_fed_twice_an_interval),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
