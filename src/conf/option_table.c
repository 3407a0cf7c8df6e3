// SPDX-License-Identifier: MIT
/* The settings, how their values are read, and the sample file made of them. */
#include "config.h"

#include "conf/option_table.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "conf/settings.h"
#include "place/mode.h"
#include "qmp/share.h"
#include "topo/cpuset.h"

_Static_assert(sizeof(enum place_mode) == sizeof(int) &&
		       sizeof(enum place_smt) == sizeof(int) &&
		       sizeof(enum place_emulator) == sizeof(int) &&
		       sizeof(enum share) == sizeof(int) &&
		       sizeof(enum settings_select) == sizeof(int) &&
		       sizeof(enum settings_adopt) == sizeof(int) &&
		       sizeof(enum settings_probe) == sizeof(int),
	"OPTION_WORD stores an int");

static bool
mode_supported(int value)
{
	return place_mode_supported((enum place_mode)value);
}

static bool
smt_supported(int value)
{
	return place_smt_supported((enum place_smt)value);
}

static bool
select_supported(int value)
{
	return value == SETTINGS_SELECT_ALL;
}

static const char *const mode_words[] = {
	"off", "observe", "auto", "float", "core", "pin", "dedicated", NULL};
static const char *const smt_words[] = {"share", "avoid", "isolate", NULL};
static const char *const emulator_words[] = {"float", "follow", "isolate", NULL};
/* In the order of enum share. */
static const char *const share_words[] = {
	"auto", "private", "yield", "brief", "proxy", NULL};
static const char *const select_words[] = {"all", "tagged", NULL};
static const char *const adopt_words[] = {"gradual", "now", NULL};
static const char *const probe_words[] = {"yes", "no", NULL};
static const char *const level_words[] = {
	"err", "warning", "notice", "info", "debug", NULL};

#define IN_CONFIG(member) .offset = offsetof(struct settings, member)
#define IN_VM(member)                                      \
	.vm_offset = offsetof(struct settings_vm, member), \
	.vm_has = offsetof(struct settings_vm, has_##member)

static const struct option_def table[] = {
	{.key = "mode",
		.type = OPTION_WORD,
		.fallback = "auto",
		.words = mode_words,
		.parse = place_mode_parse,
		.supported = mode_supported,
		.text = "Placement. float: whole latency domains; pin: one CPU a vCPU;"
			" observe: report only.",
		IN_CONFIG(mode),
		IN_VM(mode)},
	{.key = "smt",
		.type = OPTION_WORD,
		.fallback = "share",
		.words = smt_words,
		.parse = place_smt_parse,
		.supported = smt_supported,
		.text = "SMT siblings of a VM's CPUs: used like any CPU.",
		IN_CONFIG(smt),
		IN_VM(smt)},
	{.key = "emulator",
		.type = OPTION_WORD,
		.fallback = "float",
		.words = emulator_words,
		.parse = place_emulator_parse,
		.text = "Where QEMU's other threads run: near the vCPUs, on the vCPUs' CPUs,"
			" or apart.",
		IN_CONFIG(emulator),
		IN_VM(emulator)},
	{.key = "share",
		.type = OPTION_WORD,
		.fallback = "auto",
		.words = share_words,
		.text = "How a VM's monitor is shared with other tools:"
			" see docs/monitor-sharing.md.",
		IN_CONFIG(share),
		IN_VM(share)},
	{.key = "select",
		.type = OPTION_WORD,
		.fallback = "all",
		.words = select_words,
		.supported = select_supported,
		.text = "Which VMs are managed.",
		IN_CONFIG(select)},
	{.key = "adopt",
		.type = OPTION_WORD,
		.fallback = "gradual",
		.words = adopt_words,
		.text = "VMs that already run on first contact: placed a few a minute, or all at"
			" once.",
		IN_CONFIG(adopt)},
	{.key = "rebalance_moves_per_min",
		.type = OPTION_UINT,
		.fallback = "2",
		.max = 1000,
		.unit = "VMs",
		.text = "How many running VMs may be moved a minute (adopt = gradual).",
		IN_CONFIG(rebalance_moves_per_min)},
	{.key = "reserved_cpus",
		.type = OPTION_CPULIST,
		.fallback = "",
		.text = "Host CPUs that no VM is placed on.",
		IN_CONFIG(reserved_cpus)},
	{.key = "settle_ms",
		.type = OPTION_UINT,
		.fallback = "10",
		.max = 10000,
		.unit = "ms",
		.text = "Wait after an event, so that events which come together make one pass.",
		IN_CONFIG(settle_ms)},
	{.key = "audit_interval_ms",
		.type = OPTION_UINT,
		.fallback = "2000",
		.min = 100,
		.max = 3600000,
		.unit = "ms",
		.text = "How often all CPU masks are checked and repaired.",
		IN_CONFIG(audit_interval_ms)},
	{.key = "guard_ms",
		.type = OPTION_UINT,
		.fallback = "20",
		.min = 1,
		.max = 10000,
		.unit = "ms",
		.text = "How long others wait at most for a monitor that qmpind holds but does not"
			" give up.",
		IN_CONFIG(guard_ms)},
	{.key = "probe",
		.type = OPTION_WORD,
		.fallback = "yes",
		.words = probe_words,
		.text = "Measure the latencies between the host's CPUs. no: only when asked by"
			" qmpin probe.",
		IN_CONFIG(probe)},
	{.key = "probe_burst_s",
		.type = OPTION_UINT,
		.fallback = "3",
		.max = 60,
		.unit = "s",
		.text = "So long a host that is not known yet is measured faster: 1 % of a CPU's"
			" time, then 0.1 %.",
		IN_CONFIG(probe_burst_s)},
	{.key = "probe_cpus_pct",
		.type = OPTION_UINT,
		.fallback = "12",
		.min = 1,
		.max = 50,
		.unit = "%",
		.text = "Share of the CPUs that are measured at a time.",
		IN_CONFIG(probe_cpus_pct)},
	{.key = "control_group",
		.type = OPTION_GROUP,
		.fallback = "qmpin",
		.fixed = true,
		.text = "Members of this group may use the read-only control socket.",
		IN_CONFIG(control_group)},
	{.key = "log_level",
		.type = OPTION_WORD,
		.fallback = "info",
		.words = level_words,
		.parse = log_level_parse,
		.text = "Least important messages that are logged.",
		IN_CONFIG(log_level)},
};

/* Documented, to be built later: setting one must not pass as if it worked. */
static const char *const planned[] = {
	"memory",
	"description",
	"allow_dedicated",
	"unregistered_tags",
	"rebalance",
	"rebalance_gain_pct",
	"rebalance_dwell_s",
	"isolated_cpus",
	"dedicated_max_pct",
	"socket_glob",
};

const struct option_def *
option_table(size_t *n)
{
	*n = ARRAY_LEN(table);
	return table;
}

const struct option_def *
option_table_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].key, key) == 0)
			return &table[i];
	}
	return NULL;
}

bool
option_table_is_planned(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(planned); i++) {
		if (strcmp(planned[i], key) == 0)
			return true;
	}
	return false;
}

/* Value of the n-th word, which is one that parses. */
static int
word_value(const struct option_def *o, size_t n)
{
	return o->parse != NULL ? o->parse(o->words[n]) : (int)n;
}

/* The words that this version takes, joined. */
static void
add_words(const struct option_def *o, struct strbuf *out, const char *separator)
{
	for (size_t i = 0; o->words[i] != NULL; i++) {
		if (o->supported != NULL && !o->supported(word_value(o, i)))
			continue;
		strbuf_addf(out, "%s%s", out->len > 0 ? separator : "", o->words[i]);
	}
}

static int
read_word(const struct option_def *o, const struct inifile_item *item, void *member,
	struct err *e)
{
	struct strbuf words = {0};
	size_t i = 0;
	int value;
	int r;

	while (o->words[i] != NULL && strcmp(o->words[i], item->value) != 0)
		i++;
	if (o->words[i] != NULL) {
		value = word_value(o, i);
		if (o->supported == NULL || o->supported(value)) {
			memcpy(member, &value, sizeof(value));
			return 0;
		}
	}
	add_words(o, &words, ", ");
	r = err_set(e, -EINVAL, item->file, item->line, "%s: \"%.60s\" is not %s %s",
		o->key, item->value,
		o->words[i] != NULL ? "supported in this version; use" : "one of",
		strbuf_text(&words));
	strbuf_fini(&words);
	return r;
}

static int
read_uint(const struct option_def *o, const struct inifile_item *item, void *member,
	struct err *e)
{
	const char *blank = o->unit != NULL ? " " : "";
	const char *unit = o->unit != NULL ? o->unit : "";
	bool above;
	uint64_t number;
	unsigned int value;
	int r = str_parse_uint(item->value, o->max, &number);

	if (r == -EINVAL)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not a number (%u to %u%s%s)", o->key,
			item->value, o->min, o->max, blank, unit);
	above = r == -ERANGE;
	if (above || number < o->min)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: %.60s is %s %u%s%s", o->key, item->value,
			above ? "above" : "below", above ? o->max : o->min, blank,
			unit);
	value = (unsigned int)number;
	memcpy(member, &value, sizeof(value));
	return 0;
}

static int
read_cpulist(const struct option_def *o, const struct inifile_item *item,
	struct cpuset *member, struct err *e)
{
	int r = cpuset_parse(item->value, member);

	if (r == -ERANGE)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: CPU numbers end at %u", o->key, CPUSET_CAP - 1);
	if (r < 0)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not a list of CPUs such as 0-3,8", o->key,
			item->value);
	return 0;
}

/* As adduser takes them, and numbers. */
static int
read_group(const struct option_def *o, const struct inifile_item *item, char *member,
	struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(item->value);

	if (len == 0 || len >= SETTINGS_GROUP_MAX || item->value[0] == '-' ||
		strspn(item->value, allowed) != len)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not the name of a group", o->key,
			item->value);
	str_copy(member, SETTINGS_GROUP_MAX, item->value);
	return 0;
}

int
option_table_read(const struct option_def *o, const struct inifile_item *item,
	void *member, struct err *e)
{
	switch (o->type) {
	case OPTION_UINT:
		return read_uint(o, item, member, e);
	case OPTION_WORD:
		return read_word(o, item, member, e);
	case OPTION_CPULIST:
		return read_cpulist(o, item, member, e);
	case OPTION_GROUP:
		return read_group(o, item, member, e);
	}
	return -EINVAL;
}

/* What may be written behind the key. */
static void
write_values(FILE *out, const struct option_def *o)
{
	struct strbuf words = {0};

	switch (o->type) {
	case OPTION_UINT:
		(void)fprintf(out, "# %u to %u%s%s", o->min, o->max,
			o->unit != NULL ? " " : "", o->unit != NULL ? o->unit : "");
		break;
	case OPTION_WORD:
		add_words(o, &words, " | ");
		(void)fprintf(out, "# %s", strbuf_text(&words));
		strbuf_fini(&words);
		break;
	case OPTION_CPULIST:
		(void)fprintf(out, "# A list of CPUs such as 0-3,8");
		break;
	case OPTION_GROUP:
		(void)fprintf(out, "# The name of a group");
		break;
	}
	(void)fprintf(out, "%s\n", o->fixed ? "; changed by a restart only" : "");
}

void
option_table_write_sample(FILE *out)
{
	(void)fprintf(out,
		"# Settings of qmpind. What is commented out shows the default.\n"
		"# Check with \"qmpind --check-config\", apply with \"systemctl"
		" reload qmpind\".\n"
		"# Files in conf.d are read after this one and override it.\n"
		"\n"
		"[qmpin]\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		(void)fprintf(out, "\n# %s\n", table[i].text);
		write_values(out, &table[i]);
		(void)fprintf(out, "#%s =%s%s\n", table[i].key,
			table[i].fallback[0] != '\0' ? " " : "", table[i].fallback);
	}
	(void)fprintf(out,
		"\n# One VM, by its id; what is not set here is as in [qmpin].\n"
		"#[vm 103]\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].vm_offset != 0)
			(void)fprintf(
				out, "#%s = %s\n", table[i].key, table[i].fallback);
	}
}
