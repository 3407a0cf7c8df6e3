// SPDX-License-Identifier: MIT
/* Kernel events: which are about CPUs, and whose are believed. */
#include "config.h"

#include "host/uevent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "mutate.h"
#include "repeat.h"

#define WAIT_MS 20000

/* A literal as the kernel sends it: with the NULs inside, and one at the end. */
#define DATAGRAM(text) text, sizeof(text)

static const struct {
	const char *bytes;
	size_t len;
	bool concerns;
} datagrams[] = {
	{DATAGRAM("offline@/devices/system/cpu/cpu3\0ACTION=offline\0"
		  "DEVPATH=/devices/system/cpu/cpu3\0SUBSYSTEM=cpu\0SEQNUM=1003"),
		true},
	{DATAGRAM("online@/devices/system/cpu/cpu0\0ACTION=online"), true},
	{DATAGRAM("add@/devices/system/cpu/cpu511"), true},
	{DATAGRAM("remove@/devices/system/cpu/cpu2047"), true},
	{DATAGRAM("add@/devices/system/node/node2\0ACTION=add"), true},
	{DATAGRAM("remove@/devices/system/node/node2"), true},
	{"online@/devices/system/cpu/cpu7", 31, true},
	{"online@/devices/system/cpu/cpu7", 30, false},
	{"online@/devices/system/cpu/cpu7x", 31, true},
	{DATAGRAM("change@/devices/system/cpu/cpu3"), false},
	{DATAGRAM("bind@/devices/system/cpu/cpu3"), false},
	{DATAGRAM("onlines@/devices/system/cpu/cpu3"), false},
	{DATAGRAM("onlin@/devices/system/cpu/cpu3"), false},
	{DATAGRAM("online/devices/system/cpu/cpu3"), false},
	{DATAGRAM("online@"), false},
	{DATAGRAM("online"), false},
	{DATAGRAM("@/devices/system/cpu/cpu3"), false},
	{DATAGRAM("online@/devices/system/cpu/cpu"), false},
	{DATAGRAM("online@/devices/system/cpu/cpu3/cache"), false},
	{DATAGRAM("add@/devices/system/cpu/cpufreq/policy3"), false},
	{DATAGRAM("add@/devices/system/cpu/cpuidle"), false},
	{DATAGRAM("online@/devices/system/memory/memory33"), false},
	{DATAGRAM(
		 "add@/devices/virtual/net/tap100i0\0DEVPATH=/devices/system/cpu/cpu3"),
		false},
	{DATAGRAM("libudev\0online@/devices/system/cpu/cpu3"), false},
	{DATAGRAM(""), false},
	{"", 0, false},
};

static void
only_cpus_and_nodes_that_come_or_go_concern_us(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(datagrams); i++) {
		bool got = uevent_concerns_cpus(datagrams[i].bytes, datagrams[i].len);

		if (got != datagrams[i].concerns)
			fail_msg("%zu: '%.*s': %d", i, (int)datagrams[i].len,
				datagrams[i].bytes, got);
	}
}

/* The copy has no byte to spare: a sanitizer sees what is read behind it. */
static bool
concerns(const char *bytes, size_t len)
{
	auto_free char *copy = xcalloc(len, 1);

	memcpy(copy, bytes, len);
	return uevent_concerns_cpus(copy, len);
}

static void
damaged_datagrams_are_judged_as_a_regular_expression_does(void **state)
{
	uint64_t seed = 20;
	unsigned int n_true = 0;
	char text[256];
	regex_t re;

	(void)state;
	assert_int_equal(regcomp(&re,
				 "^(online|offline|add|remove)@/devices/system/"
				 "(cpu/cpu|node/node)[0-9]+$",
				 REG_EXTENDED | REG_NOSUB),
		0);
	for (unsigned int i = 0; i < 100000; i++) {
		size_t len = datagrams[i % ARRAY_LEN(datagrams)].len;
		bool expected;

		memcpy(text, datagrams[i % ARRAY_LEN(datagrams)].bytes, len);
		len = mutate_text(text, len, sizeof(text) - 1, &seed);
		text[len] = '\0';
		expected = regexec(&re, text, 0, NULL, 0) == 0;
		n_true += expected;
		if (concerns(text, len) != expected)
			fail_msg("round %u: '%s': expected %d", i, text, expected);
	}
	regfree(&re);
	assert_in_range(n_true, 1000, 99000);
}

struct ear {
	int fd;
	int turn;
};

static void
tell(const char *path, const char *action)
{
	int r = repeat_event(path, action);

	if (r == 0)
		return;
	print_message("%s: %s\n", path, strerror(-r));
	skip();
}

static bool
is_readable(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) == 1;
}

static int
set_up(void **state)
{
	struct ear *ear = xcalloc(1, sizeof(*ear));
	struct err e = ERR_NONE;

	ear->turn = repeat_turn();
	ear->fd = uevent_open(&e);
	if (ear->fd < 0)
		fail_msg("%s: %s", e.source, e.text);
	*state = ear;
	return 0;
}

static int
tear_down(void **state)
{
	struct ear *ear = *state;

	close(ear->fd);
	close(ear->turn);
	free(ear);
	return 0;
}

static int
fd_of(void **state)
{
	const struct ear *ear = *state;

	return ear->fd;
}

static void
an_event_of_a_cpu_is_heard(void **state)
{
	int fd = fd_of(state);

	tell(REPEAT_CPU, "online");
	assert_true(is_readable(fd, WAIT_MS));
	assert_true(uevent_drain(fd));
	assert_false(uevent_drain(fd));
}

/* Other devices of this host may tell of themselves at any time; CPUs do not. */
static void
an_event_of_another_device_is_read_and_forgotten(void **state)
{
	int fd = fd_of(state);

	tell(REPEAT_OTHER, "change");
	assert_true(is_readable(fd, WAIT_MS));
	assert_false(uevent_drain(fd));
	assert_false(is_readable(fd, 0));
}

static void
events_are_heard_in_a_network_namespace_of_its_own(void **state)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	(void)state;
	if (home < 0 || unshare(CLONE_NEWNET) < 0) {
		close(home);
		print_message("no network namespace: %s\n", strerror(errno));
		skip();
	}
	fd = uevent_open(NULL);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	assert_true(fd >= 0);
	tell(REPEAT_CPU, "online");
	assert_true(is_readable(fd, WAIT_MS));
	assert_true(uevent_drain(fd));
	close(fd);
}

static void
lost_events_count_as_one_of_a_cpu(void **state)
{
	int fd = fd_of(state);
	const int small = 1; /* the kernel makes it a few KiB */

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (unsigned int i = 0; i < 20; i++)
		tell(REPEAT_OTHER, "change");
	assert_true(uevent_drain(fd));
	assert_false(uevent_drain(fd));
}

/* Root may send us what it likes: but not as the kernel. */
static void
what_a_process_sends_counts_for_nothing(void **state)
{
	static const char lie[] = "offline@/devices/system/cpu/cpu0\0ACTION=offline";
	int fd = fd_of(state);
	struct sockaddr_nl us = {0};
	socklen_t len = sizeof(us);
	int liar = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&us, &len), 0);
	us.nl_groups = 0;
	if (sendto(liar, lie, sizeof(lie), 0, (struct sockaddr *)&us, len) < 0) {
		close(liar);
		skip();
	}
	assert_true(is_readable(fd, WAIT_MS));
	assert_false(uevent_drain(fd));
	assert_false(is_readable(fd, 0));
	close(liar);
}

static void
without_a_descriptor_the_reason_is_told(void **state)
{
	struct rlimit old;
	struct rlimit none = {0};
	struct err e = ERR_NONE;
	int r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = uevent_open(&e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, -EMFILE);
	assert_string_equal(e.source, "kernel events");
	assert_true(err_is_set(&e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_cpus_and_nodes_that_come_or_go_concern_us),
		cmocka_unit_test(
			damaged_datagrams_are_judged_as_a_regular_expression_does),
		cmocka_unit_test_setup_teardown(
			an_event_of_a_cpu_is_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_event_of_another_device_is_read_and_forgotten, set_up,
			tear_down),
		cmocka_unit_test(events_are_heard_in_a_network_namespace_of_its_own),
		cmocka_unit_test_setup_teardown(
			lost_events_count_as_one_of_a_cpu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_process_sends_counts_for_nothing, set_up, tear_down),
		cmocka_unit_test(without_a_descriptor_the_reason_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
