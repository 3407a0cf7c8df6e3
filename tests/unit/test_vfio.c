// SPDX-License-Identifier: MIT
/* Devices of the host in the command lines of QEMU. */
#include "config.h"

#include "vm/vfio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "base/str.h"

static void
on_device(void *arg, const char *name)
{
	struct strbuf *found = arg;

	strbuf_addf(found, "%s ", name);
}

/* @line has a blank between words. */
static void
expect(const char *line, const char *want)
{
	struct strbuf words = {0};
	struct strbuf found = {0};

	strbuf_add(&words, line, strlen(line) + 1);
	for (size_t i = 0; i + 1 < words.len; i++) {
		if (words.s[i] == ' ')
			words.s[i] = '\0';
	}
	vfio_each(words.s, words.len, on_device, &found);
	if (strcmp(strbuf_text(&found), want) != 0)
		fail_msg("%s: %s", line, strbuf_text(&found));
	strbuf_fini(&words);
	strbuf_fini(&found);
}

static void
devices_are_found_in_all_spellings(void **state UNUSED)
{
	static const struct {
		const char *line;
		const char *want;
	} cases[] = {
		{"kvm -device vfio-pci,host=0000:01:00.0,id=hostpci0,bus=ich9-pcie-port-1",
			"0000:01:00.0 "},
		{"kvm -device vfio-pci,id=a,host=82:00.1 -device "
		 "vfio-pci-nohotplug,host=0001:82:00.0",
			"0000:82:00.1 0001:82:00.0 "},
		{"kvm -device driver=vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:41:00.2",
			"0000:41:00.2 "},
		{"kvm --device "
		 "vfio-pci,sysfsdev=/sys/bus/mdev/devices/"
		 "00000000-0000-0000-0000-000000000103",
			"00000000-0000-0000-0000-000000000103 "},
		{"qemu -device {\"driver\":\"vfio-pci\",\"host\":\"0000:c1:00.0\",\"id\":"
		 "\"x\"}",
			"0000:c1:00.0 "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(cases[i].line, cases[i].want);
}

static void
what_names_no_device_of_the_host_is_left_out(void **state UNUSED)
{
	static const char *const lines[] = {
		"kvm",
		"kvm -device virtio-net-pci,host=0000:01:00.0",
		"kvm -name vfio-pci,host=0000:01:00.0",
		"kvm -device vfio-pci",
		"kvm -device vfio-pci,host=",
		"kvm -device vfio-pci,host=../../../etc",
		"kvm -device vfio-pci,host=..",
		"kvm -device vfio-pci,sysfsdev=/etc/passwd",
		"kvm -device vfio-pci,sysfsdev=/sys/bus/pci/devices/../x",
		"kvm -device {\"driver\":\"vfio-pci\",\"host\":7}",
		"kvm -device {\"driver\":\"vfio-pci\",\"host\"",
		"kvm -device {\"driver\":7,\"host\":\"0000:01:00.0\",\"x\":\"vfio-pci\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		expect(lines[i], "");
}

/* Half an address would be another device. */
static void
a_word_that_is_cut_counts_for_nothing(void **state UNUSED)
{
	static const char words[] = "-device\0vfio-pci,host=0000:01:00.0";
	struct strbuf found = {0};

	for (size_t len = 0; len < sizeof(words); len++)
		vfio_each(words, len, on_device, &found);
	assert_string_equal(strbuf_text(&found), "");
	vfio_each(words, sizeof(words), on_device, &found);
	assert_string_equal(strbuf_text(&found), "0000:01:00.0 ");
	strbuf_fini(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_found_in_all_spellings),
		cmocka_unit_test(what_names_no_device_of_the_host_is_left_out),
		cmocka_unit_test(a_word_that_is_cut_counts_for_nothing),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
