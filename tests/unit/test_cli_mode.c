// SPDX-License-Identifier: MIT
/* qmpin mode, qmpin config and qmpin reload: what they ask for, write, say and refuse.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl/idl.h"
#include "ctl/shapes.h"
#include "ctl_world.h"
#include "procs.h"
#include "trees.h"

#define FILE_NAME "conf.d/90-qmpin-mode.conf"

struct desk {
	struct ctl_world *world;
	char *tree; /* in place of /etc/qmpin */
};

static int
set_up(void **state)
{
	struct desk *d = xcalloc(1, sizeof(*d));

	d->world = ctl_world_new(NULL);
	d->tree = procs_make_dir();
	*state = d;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *d = *state;

	ctl_world_free(d->world);
	procs_remove_dir(d->tree);
	free(d);
	return 0;
}

/* The words and two more: the tree as --config. */
static void
run(struct desk *d, struct cli_how how, struct cli_result *r)
{
	size_t n = 0;

	while (how.args[n] != NULL)
		n++;
	how.args[n] = "--config";
	how.args[n + 1] = d->tree;
	cli_run(d->world, &how, r);
}

static void
check_ended(struct cli_result *r, int status, const char *out, const char *err)
{
	if (r->status != status || strcmp(strbuf_text(&r->out), out) != 0 ||
		strstr(strbuf_text(&r->err), err) == NULL)
		fail_msg("%d, stdout \"%s\", stderr \"%s\"", r->status,
			strbuf_text(&r->out), strbuf_text(&r->err));
	cli_result_fini(r);
}

static bool
has_file(const struct desk *d)
{
	auto_free char *path = xasprintf("%s/" FILE_NAME, d->tree);

	return access(path, F_OK) == 0;
}

static void
write_file(const struct desk *d, const char *name, const char *text)
{
	auto_free char *dir = xasprintf("%s/conf.d", d->tree);
	auto_free char *path = xasprintf("%s/%s", d->tree, name);
	FILE *out;

	(void)mkdir(dir, 0755);
	out = fopen(path, "w");
	assert_non_null(out);
	(void)fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void
the_daemon_is_asked_for_what_was_said(void **state)
{
	static const struct {
		struct cli_how how;
		const char *wish;
		const char *out;
	} cases[] = {
		{{.args = {"mode", "103", "off"}},
			"{\"id\":\"103\",\"mode\":\"off\",\"permanent\":false}",
			"vm 103: mode off, until its QEMU ends\n"},
		{{.args = {"mode", "--reset", "103"}},
			"{\"id\":\"103\",\"permanent\":false}",
			"vm 103: mode as configured\n"},
		{{.args = {"mode", "web.1", "dedicated", "-j"}},
			"{\"id\":\"web.1\",\"mode\":\"dedicated\",\"permanent\":false}",
			"{}\n"},
	};
	struct desk *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cli_expect_text(d->world, &cases[i].how, cases[i].out);
		assert_string_equal(d->world->wish, cases[i].wish);
	}
	assert_false(has_file(d));
}

static void
permanent_is_written_and_then_asked_for(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	run(d, (struct cli_how){.args = {"mode", "103", "pin", "--permanent"}}, &r);
	check_ended(&r, CMD_OK, "vm 103: mode pin, by the configuration\n", "");
	assert_string_equal(
		d->world->wish, "{\"id\":\"103\",\"mode\":\"pin\",\"permanent\":true}");
	assert_true(has_file(d));
	run(d, (struct cli_how){.args = {"mode", "103", "--permanent", "--reset"}}, &r);
	check_ended(
		&r, CMD_OK, "vm 103: mode as configured, by the configuration\n", "");
	assert_string_equal(d->world->wish, "{\"id\":\"103\",\"permanent\":true}");
	assert_false(has_file(d));
}

static void
permanent_is_taken_back_where_the_daemon_refuses(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	run(d, (struct cli_how){.args = {"mode", "1", "pin", "--permanent"}}, &r);
	check_ended(&r, CMD_FAILED, "", "is as before");
	assert_false(has_file(d));
}

static void
permanent_needs_no_daemon(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	run(d,
		(struct cli_how){.args = {"mode", "103", "pin", "--permanent",
					 "--run-dir", "/nonexistent"}},
		&r);
	check_ended(&r, CMD_OK, "", "no qmpind runs: ");
	assert_true(has_file(d));
}

static void
a_file_that_is_not_ours_is_named_with_its_line(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	write_file(d, FILE_NAME, "[vm 1]\nsmt = avoid\n");
	run(d, (struct cli_how){.args = {"mode", "103", "pin", "--permanent"}}, &r);
	check_ended(&r, CMD_FAILED, "", FILE_NAME ":2: \"smt\" is not for this file");
	assert_null(d->world->wish);
}

static void
who_may_not_write_is_told_so(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	if (geteuid() != 0) {
		print_message("needs root to become nobody\n");
		skip();
	}
	write_file(d, FILE_NAME, "");
	assert_int_equal(chmod(d->tree, 0755), 0);
	run(d,
		(struct cli_how){
			.args = {"mode", "103", "pin", "--permanent"}, .nobody = true},
		&r);
	check_ended(&r, CMD_NO_PERMISSION, "", "Permission denied");
}

static void
what_has_no_sense_is_usage(void **state)
{
	static const struct {
		struct cli_how how;
		const char *err;
	} cases[] = {
		{{.args = {"mode"}}, "qmpin mode ID MODE"},
		{{.args = {"mode", "103"}}, "qmpin mode ID MODE"},
		{{.args = {"mode", "103", "fast"}}, "no mode 'fast': off, observe"},
		{{.args = {"mode", "103", "pin", "--reset"}}, "either MODE or --reset"},
		{{.args = {"mode", "10/3", "pin"}}, "not the id of a VM"},
		{{.args = {"mode", "103", "pin", "--config", "/x"}},
			"for --permanent only"},
		{{.args = {"config"}}, "qmpin config show"},
		{{.args = {"config", "edit"}}, "qmpin config show"},
		{{.args = {"config", "show", "x"}}, "takes no file"},
		{{.args = {"config", "check", "x", "--config", "x"}}, "one file"},
		{{.args = {"config", "check", "--all"}}, "one file"},
		{{.args = {"reload", "x"}}, "takes no arguments"},
	};
	struct desk *d = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(d->world, &cases[i].how, &r);
		check_ended(&r, CMD_USAGE, "", cases[i].err);
	}
}

static void
settings_are_a_table_of_those_that_were_made(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	cli_expect_words(d->world, &(struct cli_how){.args = {"config", "show"}},
		"KEY VALUE ORIGIN TEXT\n"
		"settle_ms 5 /etc/qmpin/qmpin.conf:3 Wait after an event.\n"
		"vm 103.mode pin /f:2 Placement.\n");
	cli_expect_words(d->world,
		&(struct cli_how){.args = {"config", "show", "--all", "--no-heading"}},
		"mode auto default Placement.\n"
		"settle_ms 5 /etc/qmpin/qmpin.conf:3 Wait after an event.\n"
		"vm 103.mode pin /f:2 Placement.\n");
	d->world->n_vms = 0;
	cli_run(d->world, &(struct cli_how){.args = {"config", "show"}}, &r);
	check_ended(&r, CMD_OK, "", "every setting has its default");
}

static void
settings_as_json_are_the_reply(void **state)
{
	struct desk *d = *state;
	auto_json json_t *reply = NULL;
	struct cli_result r;
	char bad[64];

	cli_run(d->world, &(struct cli_how){.args = {"config", "show", "-j"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	reply = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_true(idl_check(ctl_interface_text(), IDL_METHOD_OUT, "GetConfig", reply,
		bad, sizeof(bad)));
	assert_int_equal(json_array_size(json_object_get(reply, "settings")), 3);
	cli_result_fini(&r);
}

static void
files_are_checked_without_a_daemon(void **state)
{
	struct desk *d = *state;
	auto_free char *bad = xasprintf("%s/bad.conf", d->tree);
	struct cli_result r;

	write_file(d, "qmpin.conf", "[qmpin]\nmode = pin\n");
	run(d,
		(struct cli_how){
			.args = {"config", "check", "--run-dir", "/nonexistent"}},
		&r);
	check_ended(&r, CMD_OK, "the configuration is valid\n", "");
	write_file(d, "conf.d/a.conf", "[qmpin]\nmodee = pin\n");
	run(d, (struct cli_how){.args = {"config", "check"}}, &r);
	check_ended(&r, CMD_OK, "the configuration is valid\n",
		"a.conf:2: unknown key \"modee\"");
	write_file(d, "bad.conf", "[qmpin]\nmode = fast\n");
	cli_run(d->world, &(struct cli_how){.args = {"config", "check", bad}}, &r);
	check_ended(&r, CMD_FAILED, "", "bad.conf:2: mode: \"fast\" is not one of");
	cli_run(d->world, &(struct cli_how){.args = {"config", "check", bad, "-j"}},
		&r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.out), "{\"valid\":false,\"error\":\""));
	cli_result_fini(&r);
	cli_run(d->world, &(struct cli_how){.args = {"config", "check", "/none"}}, &r);
	check_ended(&r, CMD_FAILED, "", "/none: No such file");
}

/* What is there when nothing is named: the cluster's file lies under the host's. */
static void
check_all(struct desk *d, const char *root, struct cli_result *r)
{
	auto_free char *env = xasprintf("QMPIN_ROOT=%s", root);

	cli_run(d->world, &(struct cli_how){.args = {"config", "check"}, .env = env},
		r);
}

static void
the_cluster_s_file_is_checked_with_the_host_s(void **state)
{
	static const char valid[] = "the configuration is valid\n";
	struct desk *d = *state;
	char *root = trees_new();
	auto_free char *cluster = trees_path(root, "etc/pve/qmpin.conf");
	struct cli_result r;

	trees_write(root, "etc/qmpin/qmpin.conf", "[qmpin]\nmode = pin\n");
	check_all(d, root, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	check_ended(&r, CMD_OK, valid, "");
	trees_write(root, "etc/pve/qmpin.conf", "[qmpin]\nmodee = float\n");
	check_all(d, root, &r);
	check_ended(&r, CMD_OK, valid, "/etc/pve/qmpin.conf:2: unknown key \"modee\"");
	trees_write(root, "etc/pve/qmpin.conf", "[qmpin]\nmode = fast\n");
	check_all(d, root, &r);
	check_ended(&r, CMD_FAILED, "",
		"/etc/pve/qmpin.conf:2: mode: \"fast\" is not one of");
	assert_int_equal(unlink(cluster), 0);
	assert_int_equal(mkfifo(cluster, 0600), 0);
	check_all(d, root, &r);
	check_ended(&r, CMD_OK, valid, "/etc/pve/qmpin.conf is not checked: ");
	trees_remove(root);
}

static void
a_reload_is_silent_or_says_what_is_wrong(void **state)
{
	struct desk *d = *state;
	struct cli_result r;

	cli_expect_text(d->world, &(struct cli_how){.args = {"reload"}}, "");
	cli_expect_text(d->world, &(struct cli_how){.args = {"reload", "-j"}}, "{}\n");
	d->world->hostile = true;
	cli_run(d->world, &(struct cli_how){.args = {"reload"}}, &r);
	assert_null(strchr(strbuf_text(&r.err), '\x1b'));
	check_ended(&r, CMD_FAILED, "", "qmpin: f.conf:3: ");
	cli_run(d->world, &(struct cli_how){.args = {"config", "show"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_null(strchr(strbuf_text(&r.out), '\x1b'));
	cli_result_fini(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_daemon_is_asked_for_what_was_said),
		TEST(permanent_is_written_and_then_asked_for),
		TEST(permanent_is_taken_back_where_the_daemon_refuses),
		TEST(permanent_needs_no_daemon),
		TEST(a_file_that_is_not_ours_is_named_with_its_line),
		TEST(who_may_not_write_is_told_so),
		TEST(what_has_no_sense_is_usage),
		TEST(settings_are_a_table_of_those_that_were_made),
		TEST(settings_as_json_are_the_reply),
		TEST(files_are_checked_without_a_daemon),
		TEST(the_cluster_s_file_is_checked_with_the_host_s),
		TEST(a_reload_is_silent_or_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
