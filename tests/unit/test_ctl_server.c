// SPDX-License-Identifier: MIT
/*
 * The control server on real sockets: what it answers, in which order, and what clients
 * that misbehave cannot do to it or to each other.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/address.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"

#define STATUS "{\"method\":\"io.qmpin.GetStatus\"}"
#define MONITOR "{\"method\":\"io.qmpin.Monitor\",\"more\":true}"

/* Wide enough for whole streams, short enough to wait for. */
static const struct ctl_limits strict = {
	.clients = 32,
	.idle_ms = 150,
	.stall_ms = 150,
	.client_bytes = 4u << 20,
	.total_bytes = 6u << 20,
};

static int
set_up(void **state)
{
	struct ctl_world *w = xcalloc(1, sizeof(*w));

	ctl_world_up(w, NULL);
	*state = w;
	return 0;
}

static int
set_up_strict(void **state)
{
	struct ctl_world *w = xcalloc(1, sizeof(*w));

	ctl_world_up(w, &strict);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct ctl_world *w = *state;

	ctl_world_down(w);
	free(w);
	return 0;
}

static const char *
error_of(const json_t *reply)
{
	return json_string_value(json_object_get(reply, "error"));
}

static json_t *
params_of(const json_t *reply)
{
	return json_object_get(reply, "parameters");
}

/* Another client is served: whatever the test did has disturbed nobody. */
static void
expect_served(struct ctl_world *w)
{
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, fd, STATUS);
	reply = ctl_world_read(w, fd);
	assert_string_equal(
		json_string_value(json_object_get(params_of(reply), "version")),
		"9.8.7");
	json_decref(reply);
	(void)close(fd);
}

/* Run until the server has nothing to do at once. */
static void
settle(struct ctl_world *w)
{
	for (unsigned int i = 0; i < 20; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
}

/* ---- answers ---- */

static void
status_is_answered_on_both_sockets(void **state)
{
	struct ctl_world *w = *state;

	for (unsigned int i = 0; i < 2; i++) {
		int fd = ctl_world_dial(w, i == 0 ? CTL_SOCKET : CTL_SOCKET_RO);
		json_t *reply;
		char bad[64];

		ctl_world_ask(w, fd, STATUS);
		reply = ctl_world_read(w, fd);
		assert_null(error_of(reply));
		assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetStatus",
			params_of(reply), bad, sizeof(bad)));
		json_decref(reply);
		(void)close(fd);
	}
	assert_int_equal(w->peer.pid, getpid());
	assert_int_equal(w->peer.uid, geteuid());
}

static void
stream_ends_without_continues(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
	for (unsigned int i = 0; i < w->n_vms; i++) {
		json_t *reply = ctl_world_read(w, fd);
		bool last = i + 1 == w->n_vms;

		assert_int_equal(
			json_is_true(json_object_get(reply, "continues")), !last);
		assert_int_equal(
			json_array_size(json_object_get(params_of(reply), "vms")), 1);
		json_decref(reply);
	}
	(void)close(fd);
	expect_served(w);
}

static void
service_describes_itself(void **state)
{
	static const char *const names[] = {"io.qmpin", "org.varlink.service"};
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET_RO);
	json_t *reply;
	json_t *list;

	ctl_world_ask(w, fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	reply = ctl_world_read(w, fd);
	list = json_object_get(params_of(reply), "interfaces");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		char request[200];
		const char *text;
		json_t *description;

		assert_string_equal(
			json_string_value(json_array_get(list, i)), names[i]);
		(void)snprintf(request, sizeof(request),
			"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"%s\"}}",
			names[i]);
		ctl_world_ask(w, fd, request);
		description = ctl_world_read(w, fd);
		text = json_string_value(
			json_object_get(params_of(description), "description"));
		(void)snprintf(request, sizeof(request), "\ninterface %s\n", names[i]);
		assert_non_null(strstr(text, request));
		json_decref(description);
	}
	json_decref(reply);
	(void)close(fd);
}

static void
wrong_calls_get_the_error_that_says_why(void **state)
{
	static const struct {
		const char *request;
		const char *error;
		const char *key;
		const char *value;
	} cases[] = {
		{"{\"method\":\"io.qmpin.Nothing\"}",
			"org.varlink.service.MethodNotFound", "method",
			"io.qmpin.Nothing"},
		{"{\"method\":\"io.qmpin.\"}", "org.varlink.service.MethodNotFound",
			"method", "io.qmpin."},
		{"{\"method\":\"io.qmpin.VM\"}", "org.varlink.service.MethodNotFound",
			"method", "io.qmpin.VM"},
		{"{\"method\":\"io.qmpin.Doctor\"}",
			"org.varlink.service.MethodNotImplemented", "method",
			"io.qmpin.Doctor"},
		{"{\"method\":\"com.example.Foo\"}",
			"org.varlink.service.InterfaceNotFound", "interface",
			"com.example"},
		{"{\"method\":\"nodot\"}", "org.varlink.service.InterfaceNotFound",
			"interface", ""},
		{"{\"method\":\"\"}", "org.varlink.service.InterfaceNotFound",
			"interface", ""},
		{"{\"method\":\"org.varlink.service.Nothing\"}",
			"org.varlink.service.MethodNotFound", "method",
			"org.varlink.service.Nothing"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
			"org.varlink.service.InvalidParameter", "parameter",
			"interface"},
		{"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"a.b\"}}",
			"org.varlink.service.InterfaceNotFound", "interface", "a.b"},
		{"{\"method\":\"io.qmpin.ListVMs\",\"parameters\":{\"id\":103}}",
			"org.varlink.service.InvalidParameter", "parameter", "id"},
		{"{\"method\":\"io.qmpin.ListVMs\",\"parameters\":{\"thread\":true}}",
			"org.varlink.service.InvalidParameter", "parameter", "thread"},
		{"{\"method\":\"io.qmpin.SetMode\","
		 "\"parameters\":{\"id\":\"1\",\"mode\":\"fast\"}}",
			"org.varlink.service.InvalidParameter", "parameter", "mode"},
		{"{\"method\":\"io.qmpin.SetMode\","
		 "\"parameters\":{\"id\":\"1\",\"mode\":\"pin\"}}",
			"io.qmpin.InvalidValue", "field", "mode"},
		{"{\"method\":\"io.qmpin.ListVMs\",\"parameters\":{\"id\":\"9\"}}",
			"io.qmpin.VMNotFound", "id", "9"},
		{"{\"method\":\"io.qmpin.GetStatus\",\"upgrade\":true}",
			"org.varlink.service.InvalidParameter", "parameter", "upgrade"},
	};
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *reply;
		const char *value;

		ctl_world_ask(w, fd, cases[i].request);
		reply = ctl_world_read(w, fd);
		value = json_string_value(
			json_object_get(params_of(reply), cases[i].key));
		if (error_of(reply) == NULL ||
			strcmp(error_of(reply), cases[i].error) != 0)
			fail_msg("%s: error %s", cases[i].request, error_of(reply));
		if (value == NULL || strcmp(value, cases[i].value) != 0)
			fail_msg("%s: %s %s", cases[i].request, cases[i].key, value);
		json_decref(reply);
	}
	(void)close(fd);
}

static void
read_only_socket_refuses_what_changes_things(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET_RO);
	json_t *reply;

	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.Reload\"}");
	reply = ctl_world_read(w, fd);
	assert_string_equal(error_of(reply), "io.qmpin.NotPermitted");
	assert_string_equal(
		json_string_value(json_object_get(params_of(reply), "what")), "Reload");
	assert_int_equal(w->n_calls, 0);
	json_decref(reply);
	(void)close(fd);

	fd = ctl_world_dial(w, CTL_SOCKET);
	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.Reload\"}");
	reply = ctl_world_read(w, fd);
	assert_null(error_of(reply));
	assert_int_equal(w->n_calls, 1);
	json_decref(reply);
	(void)close(fd);
}

static void
oneway_call_is_done_and_not_answered(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.Reload\",\"oneway\":true}");
	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.Nothing\",\"oneway\":true}");
	ctl_world_ask(w, fd, STATUS);
	reply = ctl_world_read(w, fd);
	assert_non_null(json_object_get(params_of(reply), "version"));
	assert_int_equal(w->n_calls, 2);
	json_decref(reply);
	(void)close(fd);
}

/* ---- order ---- */

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	for (unsigned int i = 0; i < 100; i++) {
		char request[64];

		(void)snprintf(
			request, sizeof(request), "{\"method\":\"io.qmpin.M%u\"}", i);
		ctl_world_ask(w, fd, request);
	}
	for (unsigned int i = 0; i < 100; i++) {
		json_t *reply = ctl_world_read(w, fd);
		char want[32];

		(void)snprintf(want, sizeof(want), "io.qmpin.M%u", i);
		assert_string_equal(
			json_string_value(json_object_get(params_of(reply), "method")),
			want);
		json_decref(reply);
	}
	(void)close(fd);
}

static void
request_behind_one_in_flight_waits_for_its_answer(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, fd, MONITOR);
	ctl_world_ask(w, fd, STATUS);
	settle(w);
	assert_int_equal(w->n_held, 1);
	assert_int_equal(w->n_calls, 1);
	ctl_reply(w->held[0], json_pack("{s:i}", "n", 1), true);
	settle(w);
	assert_int_equal(w->n_calls, 1);
	ctl_reply(w->held[0], json_pack("{s:i}", "n", 2), false);
	assert_int_equal(w->n_calls, 1); /* never from inside the answer */
	for (int i = 1; i <= 2; i++) {
		reply = ctl_world_read(w, fd);
		assert_int_equal(
			json_integer_value(json_object_get(params_of(reply), "n")), i);
		json_decref(reply);
	}
	reply = ctl_world_read(w, fd);
	assert_non_null(json_object_get(params_of(reply), "version"));
	json_decref(reply);
	(void)close(fd);
}

static void
request_that_comes_byte_by_byte_is_answered(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	for (size_t i = 0; i < sizeof(STATUS); i++) {
		assert_true(ctl_world_send(w, fd, &STATUS[i], 1));
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
	reply = ctl_world_read(w, fd);
	assert_null(error_of(reply));
	json_decref(reply);
	(void)close(fd);
}

static void
client_that_has_ended_its_side_still_gets_its_answers(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, fd, STATUS);
	ctl_world_ask(w, fd, MONITOR);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	reply = ctl_world_read(w, fd);
	assert_non_null(json_object_get(params_of(reply), "version"));
	json_decref(reply);
	settle(w);
	assert_false(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), false);
	reply = ctl_world_read(w, fd);
	assert_non_null(reply);
	json_decref(reply);
	ctl_world_expect_closed(w, fd);
}

/* ---- clients that go ---- */

static void
answer_to_a_client_that_died_is_harmless(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	ctl_world_ask(w, fd, MONITOR);
	settle(w);
	assert_int_equal(w->n_held, 1);
	(void)close(fd);
	settle(w);
	assert_true(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), true);
	ctl_error(w->held[0], "Failed", json_pack("{s:s}", "why", "x"));
	expect_served(w);
}

static void
answer_after_the_server_has_ended_is_harmless(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	ctl_world_ask(w, fd, MONITOR);
	settle(w);
	ctl_server_free(w->server);
	w->server = NULL;
	assert_true(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), false);
	ctl_world_expect_closed(w, fd);
}

static void
client_that_dies_in_its_stream_disturbs_nobody(void **state)
{
	struct ctl_world *w = *state;

	w->n_vms = 2000;
	for (unsigned int i = 0; i < 5; i++) {
		int fd = ctl_world_dial(w, CTL_SOCKET);
		char some[100];

		ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
		while (recv(fd, some, sizeof(some), 0) < 0)
			ctl_world_step(w);
		(void)close(fd);
	}
	expect_served(w);
}

/* ---- what is not varlink ---- */

static void
repeat(struct strbuf *b, const char *bytes, size_t len, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		strbuf_add(b, bytes, len);
}

static void
expect_dropped(struct ctl_world *w, const char *name, const char *bytes, size_t len)
{
	int bystander = ctl_world_dial(w, CTL_SOCKET);
	int fd = ctl_world_dial(w, CTL_SOCKET_RO);
	unsigned int calls = w->n_calls;
	json_t *reply;

	print_message("%s\n", name);
	ctl_world_ask(w, bystander, MONITOR);
	settle(w);
	assert_int_equal(w->n_calls, calls + 1);
	(void)ctl_world_send(w, fd, bytes, len);
	ctl_world_expect_closed(w, fd);
	assert_int_equal(w->n_calls, calls + 1);
	ctl_reply(w->held[--w->n_held], json_object(), false);
	reply = ctl_world_read(w, bystander);
	assert_non_null(reply);
	json_decref(reply);
	(void)close(bystander);
	expect_served(w);
}

static void
garbage_is_dropped_and_disturbs_nobody(void **state)
{
	static const char nuls[1000];
	static const char binary[] = "\x16\x03\x01\x02\xff\xfe\x80{}\x00\x01";
	struct ctl_world *w = *state;
	struct strbuf b = {0};

	expect_dropped(w, "NUL flood", nuls, sizeof(nuls));
	expect_dropped(w, "binary", binary, sizeof(binary));
	expect_dropped(w, "HTTP", "GET / HTTP/1.1\r\n\r\n\0", 19);
	expect_dropped(w, "array", "[]\0", 3);
	expect_dropped(w, "no method", "{}\0", 3);
	expect_dropped(w, "garbage before a request", "x\0" STATUS, sizeof(STATUS) + 2);
	expect_dropped(w, "more and oneway",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}\0", 43);

	repeat(&b, "x", 1, 70000);
	expect_dropped(w, "no end", b.s, b.len);
	strbuf_fini(&b);

	strbuf_adds(&b, "{\"method\":\"io.qmpin.GetStatus\",\"x\":\"");
	repeat(&b, "y", 1, 66000);
	strbuf_add(&b, "\"}", 3);
	expect_dropped(w, "oversized request", b.s, b.len);
	strbuf_fini(&b);

	repeat(&b, "{\"a\":", 5, 5000);
	strbuf_add(&b, "", 1);
	expect_dropped(w, "nested", b.s, b.len);
	strbuf_fini(&b);

	repeat(&b, "[{},{}],", 8, 8000);
	strbuf_add(&b, "", 1);
	expect_dropped(w, "value bomb", b.s, b.len);
	strbuf_fini(&b);
}

static void
half_a_request_and_the_end_is_dropped(void **state)
{
	struct ctl_world *w = *state;

	for (unsigned int i = 0; i < 2; i++) {
		int fd = ctl_world_dial(w, CTL_SOCKET);

		assert_true(ctl_world_send(w, fd, STATUS, 10));
		settle(w);
		if (i == 0) {
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
			ctl_world_expect_closed(w, fd);
		} else {
			(void)close(fd);
			settle(w);
		}
	}
	assert_int_equal(w->n_calls, 0);
	expect_served(w);
}

/* ---- many, slow and idle clients ---- */

static void
two_hundred_clients_at_once_are_all_served(void **state)
{
	struct ctl_world *w = *state;
	int fds[200];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET_RO);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		ctl_world_ask(w, fds[i], STATUS);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		json_t *reply = ctl_world_read(w, fds[i]);

		assert_non_null(json_object_get(params_of(reply), "version"));
		json_decref(reply);
		(void)close(fds[i]);
	}
	assert_int_equal(w->n_calls, ARRAY_LEN(fds));
}

static void
crowd_on_the_read_only_socket_keeps_nobody_from_the_other(void **state)
{
	struct ctl_world *w = *state;
	int fds[256];
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET_RO);
	settle(w);
	fd = ctl_world_dial(w, CTL_SOCKET_RO);
	ctl_world_expect_closed(w, fd);
	expect_served(w);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	settle(w);
	fd = ctl_world_dial(w, CTL_SOCKET_RO);
	ctl_world_ask(w, fd, STATUS);
	json_decref(ctl_world_read(w, fd));
	(void)close(fd);
}

static void
clients_beyond_the_cap_are_turned_away(void **state)
{
	struct ctl_world *w = *state;
	int fds[256];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ctl_world_dial(w, CTL_SOCKET);
	settle(w);
	ctl_world_expect_closed(w, ctl_world_dial(w, CTL_SOCKET));
	ctl_world_ask(w, fds[0], STATUS);
	json_decref(ctl_world_read(w, fds[0]));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	settle(w);
	expect_served(w);
}

static void
idle_client_is_dropped_unless_its_call_is_in_flight(void **state)
{
	struct ctl_world *w = *state;
	int idle = ctl_world_dial(w, CTL_SOCKET);
	int waiting = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, waiting, MONITOR);
	ctl_world_expect_closed(w, idle);
	/* A second one, begun later, has gone too: its whole time has passed as well.
	 */
	ctl_world_expect_closed(w, ctl_world_dial(w, CTL_SOCKET));
	assert_false(ctl_call_gone(w->held[0]));
	ctl_reply(w->held[0], json_object(), false);
	reply = ctl_world_read(w, waiting);
	assert_non_null(reply);
	json_decref(reply);
	ctl_world_expect_closed(w, waiting);
}

static void
reader_that_stalls_is_dropped(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	w->n_vms = 3000;
	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
	for (unsigned int i = 0; i < 40; i++) {
		ctl_world_step(w);
		expect_served(w);
	}
	/* What the kernel holds can be read; the end is missing. */
	for (unsigned int i = 0; i < w->n_vms; i++) {
		char drain[4096];

		if (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) <= 0)
			break;
	}
	ctl_world_expect_closed(w, fd);
}

static void
slow_reader_gets_all_of_it(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);
	unsigned int seen = 0;
	bool on = true;

	w->n_vms = 2000;
	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
	while (on) {
		json_t *reply = ctl_world_read(w, fd);

		assert_non_null(reply);
		on = json_is_true(json_object_get(reply, "continues"));
		json_decref(reply);
		if (++seen % 100 == 0)
			ctl_world_step(w);
	}
	assert_int_equal(seen, w->n_vms);
	(void)close(fd);
}

static void
answer_beyond_the_cap_ends_the_connection(void **state)
{
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	w->n_vms = 20000; /* about 7 MB, the cap is 4 */
	ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
	ctl_world_expect_closed(w, fd);
	expect_served(w);
}

static void
largest_backlog_pays_when_all_are_too_large(void **state)
{
	struct ctl_world *w = *state;
	int large = ctl_world_dial(w, CTL_SOCKET);
	int small = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	ctl_world_ask(w, large, MONITOR);
	ctl_world_ask(w, small, MONITOR);
	settle(w);
	assert_int_equal(w->n_held, 2);
	/* No loop in between: all of it stays in memory. */
	for (unsigned int i = 0; i < 7; i++) {
		char *text = xcalloc(500001, 1);

		memset(text, 'x', 500000);
		ctl_reply(w->held[0], json_pack("{s:s}", "text", text), true);
		if (i < 6)
			ctl_reply(w->held[1], json_pack("{s:s}", "text", text), true);
		free(text);
		assert_int_equal(ctl_call_gone(w->held[0]), i == 6);
	}
	assert_false(ctl_call_gone(w->held[1]));
	ctl_reply(w->held[0], json_object(), false);
	ctl_reply(w->held[1], json_object(), false);
	ctl_world_expect_closed(w, large);
	for (unsigned int i = 0; i < 7; i++) {
		reply = ctl_world_read(w, small);
		assert_non_null(reply);
		json_decref(reply);
	}
	(void)close(small);
}

/* 60 KB of requests would make 200 MB of answers: they are taken as they are read. */
static void
pipelining_without_reading_does_not_pile_up(void **state)
{
	static const char request[] = "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}";
	struct ctl_world *w = *state;
	int fd = ctl_world_dial(w, CTL_SOCKET);

	w->n_vms = 1000; /* 350 kB an answer */
	for (unsigned int i = 0; i < 600; i++)
		ctl_world_ask(w, fd, request);
	for (unsigned int i = 0; i < 50; i++)
		(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_in_range(w->n_calls, 1, 4);
	(void)close(fd);
	expect_served(w);
}

static void
flood_of_cheap_requests_leaves_others_their_turn(void **state)
{
	struct ctl_world *w = *state;
	int flood = ctl_world_dial(w, CTL_SOCKET);
	int other = ctl_world_dial(w, CTL_SOCKET);
	json_t *reply;

	for (unsigned int i = 0; i < 500; i++)
		ctl_world_ask(w, flood, STATUS);
	ctl_world_ask(w, other, "{\"method\":\"io.qmpin.ListVMs\"}");
	reply = ctl_world_read(w, other);
	assert_non_null(reply);
	json_decref(reply);
	assert_true(w->n_calls < 200);
	(void)close(other);
	for (unsigned int i = 0; i < 500; i++)
		json_decref(ctl_world_read(w, flood));
	(void)close(flood);
}

/* ---- sockets ---- */

static unsigned int
mode_of(const struct ctl_world *w, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(w->dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777u;
}

static void
sockets_are_open_to_those_they_are_for(void **state)
{
	struct ctl_world *w = *state;
	mode_t old;
	struct err e = ERR_NONE;

	assert_int_equal(mode_of(w, CTL_SOCKET), 0600);
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
	ctl_server_free(w->server);
	old = umask(0);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	(void)umask(old);
	assert_int_equal(mode_of(w, CTL_SOCKET), 0600);
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
}

static void
sockets_go_with_the_server(void **state)
{
	struct ctl_world *w = *state;

	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), -1);
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET_RO, F_OK, 0), -1);
}

static void
group_is_given_or_its_absence_said(void **state)
{
	struct ctl_world *w = *state;
	const struct group *g = getgrgid(1);
	struct err e = ERR_NONE;
	struct stat st;

	ctl_server_free(w->server);
	assert_int_equal(ctl_world_serve(w, "no-such-group", NULL, &e), 0);
	assert_non_null(strstr(e.text, "no group no-such-group"));
	assert_int_equal(mode_of(w, CTL_SOCKET_RO), 0660);
	if (g == NULL)
		return;
	ctl_server_free(w->server);
	err_clear(&e);
	assert_int_equal(ctl_world_serve(w, g->gr_name, NULL, &e), 0);
	assert_int_equal(fstatat(w->dirfd, CTL_SOCKET_RO, &st, 0), 0);
	assert_true(st.st_gid == 1 ? !err_is_set(&e) : err_is_set(&e));
}

/* A socket file as a server that was killed leaves it, or one that listens. */
static int
make_socket(const struct ctl_world *w, const char *name, bool listening)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(address_fill(w->dirfd, w->dir, name, &address), 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (listening)
		assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void
stale_sockets_are_replaced(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	(void)close(make_socket(w, CTL_SOCKET, true));
	(void)close(make_socket(w, CTL_SOCKET_RO, false));
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	assert_false(err_is_set(&e));
	expect_served(w);
}

static void
live_server_is_left_alone(void **state)
{
	struct ctl_world *w = *state;
	struct ctl_server *first = w->server;
	struct err e = ERR_NONE;

	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "another qmpind"));
	assert_ptr_equal(w->server, first);
	expect_served(w);
}

static void
live_read_only_socket_keeps_the_first_one_clean(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	int fd;

	ctl_server_free(w->server);
	w->server = NULL;
	fd = make_socket(w, CTL_SOCKET_RO, true);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), -1);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET_RO, 0), 0);
	(void)close(fd);
}

static void
full_queue_is_a_live_server(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	struct sockaddr_un address;
	int fds[3];

	ctl_server_free(w->server);
	w->server = NULL;
	fds[0] = make_socket(w, CTL_SOCKET, true);
	assert_int_equal(address_fill(w->dirfd, w->dir, CTL_SOCKET, &address), 0);
	for (size_t i = 1; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(
			fds[i], (const struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void
file_in_the_way_is_left_alone(void **state)
{
	struct ctl_world *w = *state;
	struct err e = ERR_NONE;
	int fd;

	ctl_server_free(w->server);
	w->server = NULL;
	fd = openat(
		w->dirfd, CTL_SOCKET, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "remove it"));
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
}

static void
socket_of_a_later_server_is_not_removed(void **state)
{
	struct ctl_world *w = *state;
	int fd;

	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	fd = make_socket(w, CTL_SOCKET, true);
	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(faccessat(w->dirfd, CTL_SOCKET, F_OK, 0), 0);
	assert_int_equal(unlinkat(w->dirfd, CTL_SOCKET, 0), 0);
	(void)close(fd);
}

static void
start_beside_another_one_is_refused(void **state)
{
	struct ctl_world *w = *state;
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct err e = ERR_NONE;
	int fd = openat(w->dirfd, "io.qmpin.lock", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	ctl_server_free(w->server);
	w->server = NULL;
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "starting"));
	(void)close(fd);
}

static void
path_of_any_length_is_served(void **state)
{
	struct ctl_world *w = *state;
	char parent[sizeof(w->dir)];
	struct err e = ERR_NONE;

	ctl_server_free(w->server);
	(void)unlinkat(w->dirfd, "io.qmpin.lock", 0);
	(void)close(w->dirfd);
	memcpy(parent, w->dir, sizeof(parent));
	memset(w->dir + strlen(w->dir), 'd', 120);
	w->dir[strlen(parent)] = '/';
	w->dir[strlen(parent) + 120] = '\0';
	assert_int_equal(mkdir(w->dir, 0700), 0);
	w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ctl_world_serve(w, NULL, NULL, &e), 0);
	expect_served(w);

	ctl_server_free(w->server);
	w->server = NULL;
	(void)unlinkat(w->dirfd, "io.qmpin.lock", 0);
	assert_int_equal(rmdir(w->dir), 0);
	memcpy(w->dir, parent, sizeof(parent));
}

static void
without_descriptors_the_server_waits_and_recovers(void **state)
{
	struct ctl_world *w = *state;
	struct rlimit old;
	struct rlimit tight;
	int fd = ctl_world_dial(w, CTL_SOCKET); /* the highest number in use */
	int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	json_t *reply;
	uint64_t begin_us;

	assert_int_equal(address_fill(w->dirfd, w->dir, CTL_SOCKET, &address), 0);
	assert_int_equal(
		connect(second, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
	/* The queue is not empty, yet the loop sleeps. */
	begin_us = clock_now_us(clock_system());
	ctl_world_step(w);
	assert_true(clock_now_us(clock_system()) - begin_us >= 5000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	ctl_world_ask(w, second, STATUS);
	reply = ctl_world_read(w, second);
	assert_non_null(reply);
	json_decref(reply);
	(void)close(second);
	(void)close(fd);
}

/* ---- speed ---- */

/* Target: 20 ms for both sides. The bound is loose, as machines that test are busy. */
static void
thousand_vms_are_listed_quickly(void **state)
{
	struct ctl_world *w = *state;
	uint64_t best_us = UINT64_MAX;

	w->n_vms = 1000;
	for (unsigned int round = 0; round < 5; round++) {
		uint64_t begin_us = clock_now_us(clock_system());
		int fd = ctl_world_dial(w, CTL_SOCKET);
		char drain[65536];
		size_t replies = 0;

		ctl_world_ask(w, fd, "{\"method\":\"io.qmpin.ListVMs\",\"more\":true}");
		while (replies < w->n_vms) {
			ssize_t n = recv(fd, drain, sizeof(drain), 0);

			for (ssize_t i = 0; i < n; i++)
				replies += drain[i] == '\0';
			if (n < 0)
				(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
		}
		(void)close(fd);
		begin_us = clock_now_us(clock_system()) - begin_us;
		best_us = begin_us < best_us ? begin_us : best_us;
	}
	print_message("1000 VMs listed in %u us\n", (unsigned int)best_us);
	assert_true(best_us < 2000000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define STRICT(name) cmocka_unit_test_setup_teardown(name, set_up_strict, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(status_is_answered_on_both_sockets),
		CASE(stream_ends_without_continues),
		CASE(service_describes_itself),
		CASE(wrong_calls_get_the_error_that_says_why),
		CASE(read_only_socket_refuses_what_changes_things),
		CASE(oneway_call_is_done_and_not_answered),
		CASE(pipelined_requests_are_answered_in_order),
		CASE(request_behind_one_in_flight_waits_for_its_answer),
		CASE(request_that_comes_byte_by_byte_is_answered),
		CASE(client_that_has_ended_its_side_still_gets_its_answers),
		CASE(answer_to_a_client_that_died_is_harmless),
		CASE(answer_after_the_server_has_ended_is_harmless),
		CASE(client_that_dies_in_its_stream_disturbs_nobody),
		CASE(garbage_is_dropped_and_disturbs_nobody),
		CASE(half_a_request_and_the_end_is_dropped),
		CASE(two_hundred_clients_at_once_are_all_served),
		CASE(crowd_on_the_read_only_socket_keeps_nobody_from_the_other),
		CASE(clients_beyond_the_cap_are_turned_away),
		STRICT(idle_client_is_dropped_unless_its_call_is_in_flight),
		STRICT(reader_that_stalls_is_dropped),
		STRICT(slow_reader_gets_all_of_it),
		STRICT(answer_beyond_the_cap_ends_the_connection),
		STRICT(largest_backlog_pays_when_all_are_too_large),
		CASE(pipelining_without_reading_does_not_pile_up),
		CASE(flood_of_cheap_requests_leaves_others_their_turn),
		CASE(sockets_are_open_to_those_they_are_for),
		CASE(sockets_go_with_the_server),
		CASE(group_is_given_or_its_absence_said),
		CASE(stale_sockets_are_replaced),
		CASE(live_server_is_left_alone),
		CASE(live_read_only_socket_keeps_the_first_one_clean),
		CASE(full_queue_is_a_live_server),
		CASE(file_in_the_way_is_left_alone),
		CASE(socket_of_a_later_server_is_not_removed),
		CASE(start_beside_another_one_is_refused),
		CASE(path_of_any_length_is_served),
		CASE(without_descriptors_the_server_waits_and_recovers),
		CASE(thousand_vms_are_listed_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
