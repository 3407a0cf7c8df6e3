// SPDX-License-Identifier: MIT
/* The settings, and the sample file made of them. */
#include "config.h"

#include "conf/option_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "conf/settings.h"
#include "place/mode.h"

_Static_assert(sizeof(enum place_mode) == sizeof(int) &&
		       sizeof(enum place_smt) == sizeof(int) &&
		       sizeof(enum place_emulator) == sizeof(int) &&
		       sizeof(enum share) == sizeof(int) &&
		       sizeof(enum settings_select) == sizeof(int) &&
		       sizeof(enum settings_adopt) == sizeof(int) &&
		       sizeof(enum settings_rebalance) == sizeof(int) &&
		       sizeof(enum settings_memory) == sizeof(int) &&
		       sizeof(enum settings_description) == sizeof(int) &&
		       sizeof(enum settings_answer) == sizeof(int) &&
		       sizeof(enum settings_probe) == sizeof(int),
	"OPTION_WORD stores an int");

static const char *const mode_words[] = {
	"off", "observe", "auto", "float", "core", "pin", "dedicated", NULL};
static const char *const smt_words[] = {"share", "avoid", "isolate", NULL};
static const char *const emulator_words[] = {"float", "follow", "isolate", NULL};
/* In the order of enum share. */
static const char *const share_words[] = {
	"auto", "private", "yield", "brief", "proxy", NULL};
/* In the order of enum settings_memory. */
static const char *const memory_words[] = {"follow", "migrate", "ignore", NULL};
static const char *const select_words[] = {"all", "tagged", NULL};
/* In the order of enum settings_description. */
static const char *const description_words[] = {"opt", "full", "ignore", NULL};
static const char *const adopt_words[] = {"gradual", "now", NULL};
static const char *const yes_words[] = {"yes", "no", NULL};
static const char *const level_words[] = {
	"err", "warning", "notice", "info", "debug", NULL};

#define IN_CONFIG(member) .offset = offsetof(struct settings, member)
#define IN_VM(member)                                      \
	.vm_offset = offsetof(struct settings_vm, member), \
	.vm_has = offsetof(struct settings_vm, has_##member)
/* What a term of the planner counts, times this. */
#define WEIGHT(name, term, description)                                                \
	{                                                                              \
		.key = (name), .section = "weights", .type = OPTION_FACTOR,            \
		.fallback = "1", .max = 100, .text = (description),                    \
		.offset = offsetof(struct settings, weights) + (term) * sizeof(double) \
	}

static const struct option_def table[] = {
	{.key = "mode",
		.type = OPTION_WORD,
		.fallback = "auto",
		.words = mode_words,
		.parse = place_mode_parse,
		.text = "Placement. float: whole latency domains; core: guest cores on cores;"
			" pin: one CPU a vCPU.",
		IN_CONFIG(mode),
		IN_VM(mode)},
	{.key = "smt",
		.type = OPTION_WORD,
		.fallback = "share",
		.words = smt_words,
		.parse = place_smt_parse,
		.text = "SMT siblings: used like any CPU, avoided where there is room, or no other"
			" VM's.",
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
	{.key = "memory",
		.type = OPTION_WORD,
		.fallback = "follow",
		.words = memory_words,
		.text = "vCPUs follow their memory; migrate: what is left behind is moved to"
			" them too.",
		IN_CONFIG(memory),
		IN_VM(memory)},
	{.key = "memory_migrate_mib_per_s",
		.type = OPTION_UINT,
		.fallback = "256",
		.min = 1,
		.max = 100000,
		.unit = "MiB",
		.text = "So much memory is moved a second at most, of one VM at a time.",
		IN_CONFIG(memory_migrate_mib_per_s)},
	{.key = "select",
		.type = OPTION_WORD,
		.fallback = "all",
		.words = select_words,
		.text = "Which VMs are managed; tagged: those that ask for it by a tag or their"
			" description.",
		IN_CONFIG(select)},
	{.key = "description",
		.type = OPTION_WORD,
		.fallback = "opt",
		.words = description_words,
		.text = "What tags and descriptions of VMs may ask for; opt: no more than on, off"
			" and observe.",
		IN_CONFIG(description)},
	{.key = "allow_dedicated",
		.type = OPTION_WORD,
		.fallback = "no",
		.words = yes_words,
		.text = "Whether, with description = full, they may ask for mode dedicated.",
		IN_CONFIG(allow_dedicated)},
	{.key = "unregistered_tags",
		.type = OPTION_WORD,
		.fallback = "no",
		.words = yes_words,
		.text = "Whether a tag that the cluster has not registered may ask for a mode.",
		IN_CONFIG(unregistered_tags)},
	{.key = "adopt",
		.type = OPTION_WORD,
		.fallback = "gradual",
		.words = adopt_words,
		.text = "VMs that already run on first contact: placed a few a minute, or all at"
			" once.",
		IN_CONFIG(adopt)},
	{.key = "rebalance",
		.type = OPTION_WORD,
		.fallback = "yes",
		.words = yes_words,
		.text = "Move running VMs when that is worth more than it costs. no: only when they"
			" have to.",
		IN_CONFIG(rebalance)},
	{.key = "rebalance_gain_pct",
		.type = OPTION_UINT,
		.fallback = "10",
		.max = 1000,
		.unit = "%",
		.text = "What a move must gain at least, of what the place costs now.",
		IN_CONFIG(rebalance_gain_pct)},
	{.key = "rebalance_dwell_s",
		.type = OPTION_UINT,
		.fallback = "300",
		.max = 86400,
		.unit = "s",
		.text = "So long a VM rests after its place has changed.",
		IN_CONFIG(rebalance_dwell_s)},
	{.key = "rebalance_moves_per_min",
		.type = OPTION_UINT,
		.fallback = "2",
		.max = 1000,
		.unit = "VMs",
		.text = "How many running VMs may be moved a minute (rebalance, adopt = gradual).",
		IN_CONFIG(rebalance_moves_per_min)},
	{.key = "rebalance_vcpus_per_min",
		.type = OPTION_UINT,
		.fallback = "1",
		.max = 10000,
		.unit = "vCPUs",
		.text = "How many vCPUs rebalance may move a minute, on average.",
		IN_CONFIG(rebalance_vcpus_per_min)},
	{.key = "reserved_cpus",
		.type = OPTION_CPULIST,
		.fallback = "",
		.text = "Host CPUs that no VM is placed on.",
		IN_CONFIG(reserved_cpus)},
	{.key = "isolated_cpus",
		.type = OPTION_CPULIST,
		.fallback = "",
		.text = "Of the isolated CPUs: those that pin and dedicated VMs may have.",
		IN_CONFIG(isolated_cpus)},
	{.key = "dedicated_max_pct",
		.type = OPTION_UINT,
		.fallback = "75",
		.max = 100,
		.unit = "%",
		.text = "How many of a node's cores dedicated VMs may have for themselves.",
		IN_CONFIG(dedicated_max_pct)},
	{.key = "widen_wait_pct",
		.type = OPTION_UINT,
		.fallback = "5",
		.max = 100,
		.unit = "%",
		.text = "A VM that waits more than this while CPUs idle gets more CPUs; 0: never.",
		IN_CONFIG(widen_wait_pct)},
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
		.words = yes_words,
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
		.text = "Members of this group may look. Another one takes a drop-in too: see"
			" qmpin.conf(5).",
		IN_CONFIG(control_group)},
	{.key = "log_level",
		.type = OPTION_WORD,
		.fallback = "info",
		.words = level_words,
		.parse = log_level_parse,
		.text = "Least important messages that are logged.",
		IN_CONFIG(log_level)},
	WEIGHT("waiting", TERM_WAITING, "Demand that cannot run though CPUs idle."),
	WEIGHT("memory", TERM_MEMORY, "Accesses to memory of another node."),
	WEIGHT("communication", TERM_COMMUNICATION,
		"Latency between the vCPUs of a VM."),
	WEIGHT("smt", TERM_SMT, "Cores shared with another vCPU."),
	WEIGHT("pci", TERM_PCI, "Distance to passed-through devices."),
	WEIGHT("fragmentation", TERM_FRAGMENTATION,
		"Load on the chosen CPUs and around: keeps large holes free."),
	WEIGHT("moving", TERM_MOVING, "Moving threads, caches and memory."),
};

_Static_assert(ARRAY_LEN(table) <= SETTINGS_KEYS_MAX, "each key has its place");

/* Documented, to be built later: setting one must not pass as if it worked. */
static const char *const planned[] = {
	"socket_glob",
};

const struct option_def *
option_table(size_t *n)
{
	*n = ARRAY_LEN(table);
	return table;
}

unsigned int
option_table_index(const struct option_def *o)
{
	return (unsigned int)(o - table);
}

unsigned int
option_table_vm_index(const struct option_def *o)
{
	unsigned int n = 0;

	for (const struct option_def *before = table; before < o; before++)
		n += before->vm_offset != 0;
	assert(n < SETTINGS_VM_KEYS_MAX);
	return n;
}

const char *
option_table_section(const struct option_def *o)
{
	return o->section != NULL ? o->section : "qmpin";
}

const struct option_def *
option_table_find(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].key, key) == 0 &&
			strcmp(option_table_section(&table[i]), section) == 0)
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

/* All options of a section, with what they mean and may be. */
static void
write_section(FILE *out, const char *section)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option_def *o = &table[i];

		if (strcmp(option_table_section(o), section) != 0)
			continue;
		(void)fprintf(out, "\n# %s\n", o->text);
		option_value_describe(o, out);
		(void)fprintf(out, "#%s =%s%s\n", o->key,
			o->fallback[0] != '\0' ? " " : "", o->fallback);
	}
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
	write_section(out, "qmpin");
	(void)fprintf(out,
		"\n# What counts how much when a place is chosen, as factors.\n"
		"#[weights]\n");
	write_section(out, "weights");
	(void)fprintf(out,
		"\n# One VM, by its id; what is not set here is as in [qmpin].\n"
		"#[vm 103]\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].vm_offset != 0)
			(void)fprintf(
				out, "#%s = %s\n", table[i].key, table[i].fallback);
	}
}
