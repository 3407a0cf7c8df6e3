// SPDX-License-Identifier: MIT
/* Settings: which value wins, what is refused and how it is told, and reading files. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/settings.h"
#include "conf/option_table.h"
#include "settings_text.h"

static void
defaults_are_the_documented_ones(void **state UNUSED)
{
	enum settings_origin origin;
	struct settings c;

	settings_init(&c);
	assert_int_equal(c.mode, PLACE_AUTO);
	assert_int_equal(c.select, SETTINGS_SELECT_ALL);
	assert_int_equal(c.adopt, SETTINGS_ADOPT_GRADUAL);
	assert_int_equal(c.smt, PLACE_SMT_SHARE);
	assert_int_equal(c.emulator, PLACE_EMULATOR_FLOAT);
	assert_int_equal(c.rebalance, SETTINGS_REBALANCE_YES);
	assert_int_equal(c.rebalance_gain_pct, 10);
	assert_int_equal(c.rebalance_dwell_s, 300);
	assert_int_equal(c.rebalance_moves_per_min, 2);
	assert_int_equal(c.rebalance_vcpus_per_min, 1);
	assert_true(cpuset_empty(&c.isolated_cpus));
	assert_int_equal(c.dedicated_max_pct, 75);
	assert_true(cpuset_empty(&c.reserved_cpus));
	assert_int_equal(c.settle_ms, 10);
	assert_int_equal(c.audit_interval_ms, 2000);
	assert_int_equal(c.share, SHARE_AUTO);
	assert_int_equal(c.guard_ms, 20);
	assert_string_equal(c.control_group, "qmpin");
	assert_int_equal(c.log_level, LOG_INFO);
	assert_int_equal(settings_mode(&c, "103", &origin), PLACE_AUTO);
	assert_int_equal(origin, SETTINGS_ORIGIN_DEFAULT);
	settings_fini(&c);
}

static void
every_key_reaches_its_member(void **state UNUSED)
{
	struct settings c =
		settings_text_new("[qmpin]\nmode = pin\nselect = all\nadopt = now\n"
				  "smt = avoid\nemulator = follow\n"
				  "rebalance_moves_per_min = 1000\n"
				  "reserved_cpus = 0-1,64\nsettle_ms = 0\n"
				  "audit_interval_ms = 100\ncontrol_group = adm-1\n"
				  "log_level = debug\nshare = proxy\nguard_ms = 1\n"
				  "memory = migrate\nmemory_migrate_mib_per_s = 7\n");
	char list[32];

	assert_int_equal(c.mode, PLACE_PIN);
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_CONFIG);
	assert_int_equal(c.adopt, SETTINGS_ADOPT_NOW);
	assert_int_equal(c.smt, PLACE_SMT_AVOID);
	assert_int_equal(c.emulator, PLACE_EMULATOR_FOLLOW);
	assert_int_equal(c.rebalance_moves_per_min, 1000);
	assert_string_equal(
		cpuset_format(&c.reserved_cpus, list, sizeof(list)), "0-1,64");
	assert_int_equal(c.settle_ms, 0);
	assert_int_equal(c.audit_interval_ms, 100);
	assert_string_equal(c.control_group, "adm-1");
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_int_equal(c.share, SHARE_PROXY);
	assert_int_equal(c.guard_ms, 1);
	assert_int_equal(c.memory, SETTINGS_MEMORY_MIGRATE);
	assert_int_equal(c.memory_migrate_mib_per_s, 7);
	assert_int_equal(c.n_warnings, 0);
	settings_fini(&c);
}

/* Every word of the table parses, and no word of place or qmp is missing from it. */
static void
words_of_the_table_are_those_of_their_modules(void **state UNUSED)
{
	const struct option_def *mode = option_table_find("qmpin", "mode");
	const struct option_def *smt = option_table_find("qmpin", "smt");
	const struct option_def *emulator = option_table_find("qmpin", "emulator");
	const struct option_def *share = option_table_find("qmpin", "share");
	size_t n;
	const struct option_def *o = option_table(&n);

	for (size_t i = 0; i < n; i++) {
		for (size_t w = 0; o[i].words != NULL && o[i].words[w] != NULL; w++) {
			if (o[i].parse != NULL && o[i].parse(o[i].words[w]) < 0)
				fail_msg("%s: %s", o[i].key, o[i].words[w]);
		}
	}
	for (int i = 0; i < PLACE_N_MODES; i++)
		assert_string_equal(
			mode->words[i], place_mode_name((enum place_mode)i));
	assert_null(mode->words[PLACE_N_MODES]);
	for (int i = 0; i < PLACE_N_SMT; i++)
		assert_string_equal(smt->words[i], place_smt_name((enum place_smt)i));
	assert_null(smt->words[PLACE_N_SMT]);
	for (int i = 0; i < PLACE_N_EMULATOR; i++)
		assert_string_equal(emulator->words[i],
			place_emulator_name((enum place_emulator)i));
	assert_null(emulator->words[PLACE_N_EMULATOR]);
	for (int i = 0; i < SHARE_NONE; i++)
		assert_string_equal(share->words[i], share_name((enum share)i));
	assert_null(share->words[SHARE_NONE]);
}

static void
bad_values_are_refused_with_line_and_reason(void **state UNUSED)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *reason;
	} cases[] = {
		{"[qmpin]\nmode = fast\n", 2,
			"mode: \"fast\" is not one of off, observe, auto"},
		{"[qmpin]\nmode = Auto\n", 2, "not one of "},
		{"[qmpin]\nmode =\n", 2, "mode: \"\" is not one of"},
		{"[vm 1]\nmode = dedicate\n", 2,
			"not one of off, observe, auto, float, core, pin, dedicated"},
		{"[qmpin]\nselect = some\n", 2,
			"select: \"some\" is not one of all, tagged"},
		{"[qmpin]\ndescription = on\n", 2,
			"description: \"on\" is not one of opt, full, ignore"},
		{"[qmpin]\nlog_level = 7\n", 2, "log_level: \"7\""},
		{"[qmpin]\nsettle_ms = 70000\n", 2,
			"settle_ms: 70000 is above 10000 ms"},
		{"[qmpin]\nsettle_ms = 99999999999999999999999\n", 2,
			"is above 10000 ms"},
		{"[qmpin]\naudit_interval_ms = 99\n", 2,
			"audit_interval_ms: 99 is below 100 ms"},
		{"[qmpin]\nsettle_ms = 10 ms\n", 2,
			"settle_ms: \"10 ms\" is not a number (0 to 10000 ms)"},
		{"[qmpin]\nsettle_ms = -1\n", 2, "not a number"},
		{"[qmpin]\nsettle_ms = 0x10\n", 2, "not a number"},
		{"[qmpin]\nsettle_ms =\n", 2, "not a number"},
		{"[qmpin]\nreserved_cpus = 3-0\n", 2, "\"3-0\" is not a list of CPUs"},
		{"[qmpin]\nreserved_cpus = 0, 1\n", 2, "not a list of CPUs"},
		{"[qmpin]\nreserved_cpus = 2048\n", 2, "CPU numbers end at 2047"},
		{"[qmpin]\ncontrol_group =\n", 2, "not the name of a group"},
		{"[qmpin]\ncontrol_group = a:b\n", 2, "not the name of a group"},
		{"[qmpin]\ncontrol_group = a23456789012345678901234567890123\n", 2,
			"not the name of a group"},
		{"[qmpin]\n[qmpim]\n", 2, "unknown section [qmpim]"},
		{"[vm]\n", 1, "unknown section [vm]"},
		{"[VM 1]\n", 1, "unknown section [VM 1]"},
		{"[vm ]\n", 1, "\"\" is not the id of a VM"},
		{"[vm  1]\n", 1, "\" 1\" is not the id of a VM"},
		{"[vm ../1]\n", 1, "\"../1\" is not the id"},
		{"[vm \xc3\xa9]\n", 1, "\"\\xc3\\xa9\" is not the id"},
		{"[qmpin]\nrebalance = 1\n", 2,
			"rebalance: \"1\" is not one of yes, no"},
		{"[qmpin]\nrebalance_gain_pct = 1001\n", 2, "is above 1000 %"},
		{"[qmpin]\nrebalance_dwell_s = 5 min\n", 2,
			"\"5 min\" is not a number (0 to 86400 s)"},
		{"[qmpin]\nrebalance_vcpus_per_min = 0.5\n", 2,
			"is not a number (0 to 10000 vCPUs)"},
		{"[qmpin]\nisolated_cpus = all\n", 2,
			"isolated_cpus: \"all\" is not a list of CPUs"},
		{"[qmpin]\ndedicated_max_pct = 101\n", 2,
			"dedicated_max_pct: 101 is above 100 %"},
		{"[vm 1]\nsmt = no\n", 2, "smt: \"no\" is not one of"},
		{"[vm 1]\nmode=off\n[vm 1]\nmode=off\n", 4, "already set in line 2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		settings_text_refused(cases[i].text, cases[i].line, cases[i].reason);
}

static void
bad_ways_of_sharing_are_refused(void **state UNUSED)
{
	settings_text_refused("[qmpin]\nshare = none\n", 2,
		"share: \"none\" is not one of auto, private, yield, brief, proxy");
	settings_text_refused(
		"[vm 1]\nshare = hold\n", 2, "share: \"hold\" is not one of");
	settings_text_refused(
		"[qmpin]\nguard_ms = 0\n", 2, "guard_ms: 0 is below 1 ms");
	settings_text_refused("[qmpin]\nguard_ms = 10001\n", 2, "is above 10000 ms");
}

static void
how_much_is_measured_is_limited(void **state UNUSED)
{
	struct settings c = settings_text_new("");

	assert_int_equal(c.probe, SETTINGS_PROBE_YES);
	assert_int_equal(c.probe_burst_s, 3);
	assert_int_equal(c.probe_cpus_pct, 12);
	settings_fini(&c);
	c = settings_text_new(
		"[qmpin]\nprobe = no\nprobe_burst_s = 0\nprobe_cpus_pct = 50\n");
	assert_int_equal(c.probe, SETTINGS_PROBE_NO);
	assert_int_equal(c.probe_burst_s, 0);
	assert_int_equal(c.probe_cpus_pct, 50);
	settings_fini(&c);
	settings_text_refused(
		"[qmpin]\nprobe = maybe\n", 2, "probe: \"maybe\" is not one of");
	settings_text_refused("[qmpin]\nprobe_burst_s = 61\n", 2, "is above 60 s");
	settings_text_refused("[qmpin]\nprobe_cpus_pct = 0\n", 2, "is below 1 %");
	settings_text_refused("[qmpin]\nprobe_cpus_pct = 51\n", 2, "is above 50 %");
}

static void
what_has_no_effect_is_a_warning(void **state UNUSED)
{
	static const char *const want[] = {
		"f:2: unknown key \"speed\" in [qmpin]",
		"f:3: \"socket_glob\" is not implemented in this version and has no effect",
		"f:5: unknown key \"settle_ms\" in [vm 7]",
		"f:6: unknown key \"description\" in [vm 7]",
		"f:8: unknown key \"remote\" in [weights]",
		"f:9: unknown key \"memory_\" in [weights]",
		"f:11: unknown key \"\\xc3\\xa9\" in [qmpin]",
	};
	struct settings c =
		settings_text_new("[qmpin]\nspeed = 9\nsocket_glob = /x\n"
				  "[vm 7]\nsettle_ms = 1\ndescription = opt\n"
				  "[weights]\nremote = 2\nmemory_ = 1\n"
				  "[qmpin]\n\xc3\xa9 = 1\n");

	assert_int_equal(c.n_warnings, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(c.warnings[i], want[i]);
	settings_fini(&c);
}

/* Documented keys either work or say that they do not. */
static void
no_documented_key_is_unknown(void **state UNUSED)
{
	static const char *const documented[] = {"mode", "select", "share", "adopt",
		"smt", "emulator", "memory", "description", "allow_dedicated",
		"unregistered_tags", "rebalance", "rebalance_gain_pct",
		"rebalance_dwell_s", "rebalance_moves_per_min",
		"rebalance_vcpus_per_min", "reserved_cpus", "isolated_cpus",
		"dedicated_max_pct", "widen_wait_pct", "settle_ms", "audit_interval_ms",
		"guard_ms", "probe", "probe_burst_s", "probe_cpus_pct", "socket_glob",
		"memory_migrate_mib_per_s", "control_group", "log_level"};

	for (size_t i = 0; i < ARRAY_LEN(documented); i++) {
		bool works = option_table_find("qmpin", documented[i]) != NULL;

		if (works == option_table_is_planned(documented[i]))
			fail_msg("%s", documented[i]);
	}
	assert_false(option_table_is_planned("speed"));
	assert_null(option_table_find("qmpin", "speed"));
}

static void
warnings_are_capped(void **state UNUSED)
{
	struct strbuf text = {0};
	struct settings c;

	strbuf_adds(&text, "[qmpin]\n");
	for (int i = 0; i < 500; i++)
		strbuf_addf(&text, "key%d = 1\n", i);
	c = settings_text_new(strbuf_text(&text));
	assert_int_equal(c.n_warnings, SETTINGS_WARNINGS_MAX);
	assert_string_equal(c.warnings[SETTINGS_WARNINGS_MAX - 2],
		"f:100: unknown key \"key98\" in [qmpin]");
	assert_string_equal(
		c.warnings[SETTINGS_WARNINGS_MAX - 1], "more warnings are left out");
	strbuf_fini(&text);
	settings_fini(&c);
}

static void
one_vm_is_enough_for_memory_to_be_moved(void **state UNUSED)
{
	static const char *const texts[] = {"[qmpin]\nmemory = migrate\n",
		"[vm 103]\nmode = off\n[vm 104]\nmemory = migrate\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct settings c = settings_text_new(texts[i]);

		if (!settings_may_migrate(&c))
			fail_msg("%s", texts[i]);
		settings_fini(&c);
	}
}

static void
a_vm_section_overrides_what_it_names(void **state UNUSED)
{
	struct settings c = settings_text_new(
		"[vm 200]\nmode = off\n[vm 103]\nsmt = isolate\n"
		"[qmpin]\nmode = pin\nemulator = follow\nshare = yield\n"
		"[vm 1000]\nemulator = isolate\nshare = brief\n"
		"memory = ignore\n"
		"[vm 103]\nmode = float\n");
	enum settings_origin origin;

	assert_int_equal(c.n_vms, 3);
	assert_string_equal(c.vms[0].id, "1000");
	assert_string_equal(c.vms[1].id, "103");
	assert_string_equal(c.vms[2].id, "200");
	assert_int_equal(settings_mode(&c, "103", &origin), PLACE_FLOAT);
	assert_string_equal(settings_origin_name(origin), "vm_section");
	assert_int_equal(settings_smt(&c, "103"), PLACE_SMT_ISOLATE);
	assert_int_equal(settings_emulator(&c, "103"), PLACE_EMULATOR_FOLLOW);
	assert_int_equal(settings_mode(&c, "1000", &origin), PLACE_PIN);
	assert_string_equal(settings_origin_name(origin), "config");
	assert_int_equal(settings_emulator(&c, "1000"), PLACE_EMULATOR_ISOLATE);
	assert_int_equal(settings_smt(&c, "1000"), PLACE_SMT_SHARE);
	assert_int_equal(settings_share(&c, "1000"), SHARE_BRIEF);
	assert_int_equal(settings_memory(&c, "1000"), SETTINGS_MEMORY_IGNORE);
	assert_int_equal(settings_memory(&c, "103"), SETTINGS_MEMORY_FOLLOW);
	assert_false(settings_may_migrate(&c));
	assert_int_equal(settings_share(&c, "103"), SHARE_YIELD);
	assert_int_equal(settings_share(&c, "10"), SHARE_YIELD);
	assert_int_equal(settings_mode(&c, "200", &origin), PLACE_OFF);
	assert_int_equal(settings_mode(&c, "10", &origin), PLACE_PIN);
	assert_null(settings_vm_find(&c, "10"));
	assert_ptr_equal(settings_vm_find(&c, "200"), &c.vms[2]);
	settings_fini(&c);
}

static void
a_later_file_overrides_an_earlier_one(void **state UNUSED)
{
	struct err e = ERR_NONE;
	enum settings_origin origin;
	struct settings c;
	const char *cluster = "[qmpin]\nmode=pin\nemulator=follow\n"
			      "[vm 5]\nmode=off\nemulator=float\n";

	settings_init(&c);
	assert_int_equal(settings_parse(&c, cluster, strlen(cluster), "cluster",
				 SETTINGS_ORIGIN_CLUSTER, &e),
		0);
	(void)settings_mode(&c, "1", &origin);
	assert_int_equal(origin, SETTINGS_ORIGIN_CLUSTER);
	assert_int_equal(settings_text_parse(&c,
				 "[qmpin]\nemulator=isolate\n[vm 5]\nmode=float\n", &e),
		0);
	assert_int_equal(c.mode, PLACE_PIN);
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_CLUSTER);
	assert_int_equal(settings_emulator(&c, "5"), PLACE_EMULATOR_FLOAT);
	assert_int_equal(settings_emulator(&c, "6"), PLACE_EMULATOR_ISOLATE);
	assert_int_equal(settings_mode(&c, "5", &origin), PLACE_FLOAT);
	assert_int_equal(settings_text_parse(&c, "[qmpin]\nmode=float\n", &e), 0);
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_CONFIG);
	settings_fini(&c);
}

static void
vm_ids_go_up_to_their_limits(void **state UNUSED)
{
	struct strbuf text = {0};
	struct err e = ERR_NONE;
	struct settings c;
	char id[SETTINGS_ID_MAX + 1];

	(void)snprintf(id, sizeof(id), "%064d", 7);
	strbuf_addf(&text, "[vm %s]\nmode = off\n", id);
	for (unsigned int i = SETTINGS_VMS_MAX - 1; i > 0; i--)
		strbuf_addf(&text, "[vm %u]\n", i);
	c = settings_text_new(strbuf_text(&text));
	assert_int_equal(c.n_vms, SETTINGS_VMS_MAX);
	assert_non_null(settings_vm_find(&c, id));
	assert_int_equal(settings_text_parse(&c, "[vm 1]\n[vm more]\n", &e), -EINVAL);
	assert_int_equal(e.line, 2);
	settings_fini(&c);
	err_clear(&e);
	settings_init(&c);
	(void)snprintf(id, sizeof(id), "%065d", 7);
	strbuf_drop(&text, text.len);
	strbuf_addf(&text, "[vm %s]\n", id);
	assert_int_equal(settings_text_parse(&c, strbuf_text(&text), &e), -EINVAL);
	assert_non_null(strstr(e.text, "is not the id of a VM"));
	settings_fini(&c);
	strbuf_fini(&text);
}

static void
long_cpu_lists_are_read_whole(void **state UNUSED)
{
	char list[CPUSET_TEXT_MAX];
	struct strbuf text = {0};
	struct cpuset want = CPUSET_NONE;
	struct settings c;

	for (unsigned int cpu = 1; cpu < 1700; cpu += 2)
		cpuset_add(&want, cpu);
	strbuf_addf(&text, "[qmpin]\nreserved_cpus = %s ; odd ones\n",
		cpuset_format(&want, list, sizeof(list)));
	c = settings_text_new(strbuf_text(&text));
	assert_true(cpuset_equal(&c.reserved_cpus, &want));
	settings_fini(&c);
	strbuf_fini(&text);
}

/* The sample: what it shows are the defaults, also when all of it is switched on. */
static void
the_sample_file_shows_the_defaults(void **state UNUSED)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct settings fresh;
	struct settings c;

	assert_non_null(out);
	option_table_write_sample(out);
	assert_int_equal(fclose(out), 0);
	for (char *p = text; (p = strstr(p, "\n#")) != NULL; p++) {
		if (p[2] != ' ')
			memmove(p + 1, p + 2, strlen(p + 2) + 1);
	}
	c = settings_text_new(text);
	settings_init(&fresh);
	assert_int_equal(c.n_warnings, 0);
	assert_int_equal(c.n_vms, 1);
	assert_true(c.vms[0].has_mode && c.vms[0].has_smt && c.vms[0].has_emulator &&
		    c.vms[0].has_share && c.vms[0].has_memory);
	assert_int_equal(c.memory, fresh.memory);
	assert_memory_equal(c.control_group, fresh.control_group, SETTINGS_GROUP_MAX);
	assert_int_equal(c.mode, fresh.mode);
	assert_int_equal(c.log_level, fresh.log_level);
	assert_int_equal(c.audit_interval_ms, fresh.audit_interval_ms);
	assert_int_equal(c.share, fresh.share);
	assert_int_equal(c.guard_ms, fresh.guard_ms);
	assert_int_equal(c.rebalance_vcpus_per_min, fresh.rebalance_vcpus_per_min);
	assert_memory_equal(c.weights, fresh.weights, sizeof(c.weights));
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_CONFIG);
	settings_fini(&c);
	settings_fini(&fresh);
}

/* A file of the source tree, NUL-terminated; fails when it cannot be read. */
static char *
source_file(const char *name, size_t *len)
{
	const char *srcdir = getenv("srcdir");
	auto_free char *path = xasprintf("%s/%s", srcdir != NULL ? srcdir : ".", name);
	FILE *in = fopen(path, "r");
	char *text = xcalloc(1, INIFILE_BYTES_MAX);

	if (in == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	*len = fread(text, 1, INIFILE_BYTES_MAX - 1, in);
	(void)fclose(in);
	return text;
}

static void
the_shipped_sample_is_the_table_s(void **state UNUSED)
{
	auto_free char *text = NULL;
	auto_free char *shipped = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	option_table_write_sample(out);
	assert_int_equal(fclose(out), 0);
	shipped = source_file("contrib/qmpin.conf", &len);
	if (strcmp(shipped, text) != 0)
		fail_msg("write it anew: test_settings --sample > contrib/qmpin.conf");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(every_key_reaches_its_member),
		cmocka_unit_test(words_of_the_table_are_those_of_their_modules),
		cmocka_unit_test(bad_values_are_refused_with_line_and_reason),
		cmocka_unit_test(bad_ways_of_sharing_are_refused),
		cmocka_unit_test(how_much_is_measured_is_limited),
		cmocka_unit_test(what_has_no_effect_is_a_warning),
		cmocka_unit_test(no_documented_key_is_unknown),
		cmocka_unit_test(warnings_are_capped),
		cmocka_unit_test(one_vm_is_enough_for_memory_to_be_moved),
		cmocka_unit_test(a_vm_section_overrides_what_it_names),
		cmocka_unit_test(a_later_file_overrides_an_earlier_one),
		cmocka_unit_test(vm_ids_go_up_to_their_limits),
		cmocka_unit_test(long_cpu_lists_are_read_whole),
		cmocka_unit_test(the_sample_file_shows_the_defaults),
		cmocka_unit_test(the_shipped_sample_is_the_table_s),
	};

	if (argc > 1 && strcmp(argv[1], "--sample") == 0) {
		option_table_write_sample(stdout);
		return 0;
	}
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
