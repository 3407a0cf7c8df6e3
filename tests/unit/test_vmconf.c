// SPDX-License-Identifier: MIT
/* Reading a VM's configuration: limits, which line counts, what is left alone. What is
 * understood of whole files is in test_vmconf_corpus.c. */
#include "config.h"

#include "pve/vmconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/xalloc.h"

/* From memory of exactly that size: sanitizers see a step beyond it. */
static struct vmconf
read_bytes(const char *text, size_t len)
{
	auto_free char *exact = xcalloc(len, 1);
	struct vmconf c;

	memcpy(exact, text, len);
	assert_int_equal(vmconf_parse(exact, len, &c), 0);
	return c;
}

static struct vmconf
read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void
what_is_too_long_leaves_the_output_alone(void **state)
{
	auto_free char *text = xcalloc(VMCONF_BYTES_MAX + 1, 1);
	struct vmconf c = {.cores = 77};
	struct vmconf longest;

	(void)state;
	memset(text, '\n', VMCONF_BYTES_MAX + 1);
	assert_int_equal(vmconf_parse(text, VMCONF_BYTES_MAX + 1, &c), -E2BIG);
	assert_int_equal(c.cores, 77);
	longest = read_bytes(text, VMCONF_BYTES_MAX);
	assert_int_equal(longest.n_warnings, 0);
	vmconf_fini(&longest);
}

static const struct {
	const char *text;
	unsigned int sockets;
	unsigned int cores;
} cpus[] = {
	{"", 1, 1},
	{"cores: 4\n", 1, 4},
	{"cores: 4\ncores: 6\n", 1, 6},
	{"cores: 4\ncores: x\n", 1, 4},
	{"cores: 4\ncores:\n", 1, 4},
	{"cores: 4\ncores: 65536\n", 1, 4},
	{"cores: 65535\nsockets: 65535\n", 65535, 65535},
	{"cores: 0\nsockets: 0\n", 1, 1},
	{"smp: 4\n", 4, 1},
	{"smp: 4\ncores: 2\n", 4, 2},
	{"sockets: 2\nsmp: 4\n", 2, 1},
	{"cores:   3  \nsockets:\t2\r\n", 2, 3},
	{"cores: 3", 1, 3},
	{"cores: 3\n[x]\ncores: 9\n", 1, 3},
	{"cores: 3\n[pending]  \r\ncores: 9\n", 1, 3},
	{"cores: 3\n[]\ncores: 9\n", 1, 3},
	{"cores: 3\n [x]\ncores: 9\n", 1, 9},
	{"cores: 3\n[x\ncores: 9\n", 1, 9},
	{"cores: 3\n[x] y\ncores: 9\n", 1, 9},
	{"#cores: 3\n", 1, 1},
	{"xcores: 3\ncores2: 3\nco-res: 3\n", 1, 1},
	{"cores: -3\ncores: +3\ncores: 0x3\ncores: 3.0\n", 1, 1},
};

static void
the_last_valid_line_of_the_main_section_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
		struct vmconf c = read_text(cpus[i].text);

		if (c.sockets != cpus[i].sockets || c.cores != cpus[i].cores)
			fail_msg("case %zu: %u x %u", i, c.sockets, c.cores);
		vmconf_fini(&c);
	}
}

static void
a_repeated_key_leaves_nothing_of_the_earlier_value(void **state)
{
	struct vmconf c =
		read_text("numa0: cpus=0-3,hostnodes=1,memory=512,policy=bind\n"
			  "numa0: cpus=4\n"
			  "hostpci3: 01:00.0;02:00.0\n"
			  "hostpci3: 03:00\n"
			  "hostpci2: 04:00.0\n"
			  "hostpci2: mapping=nic\n"
			  "tags: a;b;c\n"
			  "tags: d\n"
			  "args: -x\n"
			  "args: -y\n");

	(void)state;
	assert_int_equal(c.n_nodes, 1);
	assert_true(cpuset_has(&c.nodes[0].vcpus, 4));
	assert_int_equal(cpuset_count(&c.nodes[0].vcpus), 1);
	assert_true(cpuset_empty(&c.nodes[0].host_nodes));
	assert_int_equal(c.nodes[0].memory_mib, 0);
	assert_int_equal(c.nodes[0].policy, VMCONF_POLICY_NONE);
	assert_int_equal(c.n_pci, 1);
	assert_string_equal(c.pci[0], "0000:03:00");
	assert_int_equal(c.n_tags, 1);
	assert_string_equal(c.tags[0], "d");
	assert_string_equal(c.args, "-y");
	vmconf_fini(&c);
}

static void
a_bad_value_leaves_the_earlier_one(void **state)
{
	struct vmconf c = read_text("affinity: 4-7\nnuma0: cpus=0\nhostpci0: 01:00.0\n"
				    "cpulimit: 2.5\nlock: backup\nnuma: 1\n"
				    "memory: 2048\n"
				    "affinity: 8-\nnuma0: cpus=x\nhostpci0: x\n"
				    "cpulimit: many\nnuma: 2\n"
				    "memory: current=4096,current=1\n");

	(void)state;
	assert_true(c.has_affinity);
	assert_int_equal(cpuset_count(&c.affinity), 4);
	assert_int_equal(c.n_nodes, 1);
	assert_int_equal(c.n_pci, 1);
	assert_true(c.cpulimit > 2.49 && c.cpulimit < 2.51);
	assert_string_equal(c.lock, "backup");
	assert_true(c.numa);
	assert_int_equal(c.memory_mib, 2048);
	assert_int_equal(c.n_warnings, 6);
	assert_string_equal(
		c.warnings[0], "line 8: affinity: \"8-\": not a list of CPUs");
	vmconf_fini(&c);
}

static void
lists_end_at_their_caps_and_it_is_told(void **state)
{
	struct strbuf b = {0};
	struct vmconf c;

	(void)state;
	strbuf_adds(&b, "tags: ");
	for (unsigned int i = 0; i < VMCONF_TAGS_MAX + 5; i++)
		strbuf_addf(&b, "t%u;", i);
	for (unsigned int slot = 0; slot < 16; slot++) {
		strbuf_addf(&b, "\nhostpci%u: ", slot);
		for (unsigned int f = 0; f < 8; f++)
			strbuf_addf(&b, "%02x:00.%u;", slot, f);
	}
	c = read_text(strbuf_text(&b));
	assert_int_equal(c.n_tags, VMCONF_TAGS_MAX);
	assert_int_equal(c.n_pci, VMCONF_PCI_MAX);
	assert_string_equal(c.pci[VMCONF_PCI_MAX - 1], "0000:07:00.7");
	assert_int_equal(c.n_warnings, 9);
	assert_string_equal(c.warnings[1],
		"line 10: hostpci: \"08:00.0\": more devices than a VM can have");
	vmconf_fini(&c);
	strbuf_fini(&b);
}

static void
warnings_are_few_short_and_safe_to_print(void **state)
{
	auto_free char *text = xcalloc(VMCONF_BYTES_MAX, 1);
	struct vmconf c;

	(void)state;
	for (size_t i = 0; i < VMCONF_BYTES_MAX; i++)
		text[i] = i % 1000 == 999 ? '\n' : (char)(i % 7 == 0 ? 0x1b : 0xff);
	c = read_bytes(text, VMCONF_BYTES_MAX);
	assert_int_equal(c.n_warnings, VMCONF_WARNINGS_MAX);
	for (size_t i = 0; i < c.n_warnings; i++) {
		assert_true(strlen(c.warnings[i]) < 150);
		for (const char *p = c.warnings[i]; *p != '\0'; p++)
			assert_true(*p >= 0x20 && *p <= 0x7e);
	}
	vmconf_fini(&c);
}

static const struct {
	const char *text;
	const char *wanted; /* NULL: none */
} descriptions[] = {
	{"", NULL},
	{"cores: 1\n", NULL},
	{"#", "\n"},
	{"#a", "a\n"},
	{"# a \n", " a \n"},
	{"#a\n#b\n", "a\nb\n"},
	{"#a\r\n#b\r\n", "a\nb\n"},
	{"#a\n\ncores: 1\n#b\n", "a\nb\n"},
	{"#a%0Ab\n", "a\nb\n"},
	{"#%41%c3%BC%25\n", "A\xc3\xbc%\n"},
	{"#%\n#%4\n#%4g\n#%%41\n", "%\n%4\n%4g\n%A\n"},
	{"#%", "%\n"},
	{"#%4", "%4\n"},
	{"#%41", "A\n"},
	{"#%2541\n", "%41\n"},
	{"#a%00b\n", "a\xef\xbf\xbd"
		     "b\n"},
	{"description: a%3A b \n", "a: b\n"},
	{"description: a\n#b\n", "ab\n"},
	{"#b\ndescription: a\n", "b\na\n"},
	{"#a\n[x]\n#b\n", "a\n"},
	{" #a\n", NULL},
};

static void
descriptions_are_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(descriptions); i++) {
		struct vmconf c = read_text(descriptions[i].text);

		if (!str_equal(c.description, descriptions[i].wanted))
			fail_msg("case %zu: %s", i,
				c.description != NULL ? c.description : "none");
		vmconf_fini(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_too_long_leaves_the_output_alone),
		cmocka_unit_test(the_last_valid_line_of_the_main_section_counts),
		cmocka_unit_test(a_repeated_key_leaves_nothing_of_the_earlier_value),
		cmocka_unit_test(a_bad_value_leaves_the_earlier_one),
		cmocka_unit_test(lists_end_at_their_caps_and_it_is_told),
		cmocka_unit_test(warnings_are_few_short_and_safe_to_print),
		cmocka_unit_test(descriptions_are_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
