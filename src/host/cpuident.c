// SPDX-License-Identifier: MIT
/*
 * The processor, by CPUID or by files. What both tell is brought into the same form, so
 * that a host and a copy of its files look alike. What cannot be read stays unknown.
 */
#include "config.h"

#include "host/cpuident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/str.h"
#include "host/textfile.h"

#define CPU_DIR "sys/devices/system/cpu/cpu0/"
/* Of the largest machines 3 MB. */
#define CPUINFO_BYTES_MAX (16u << 20)
#define FILE_BYTES_MAX 4096u

/* Copy with single blanks, as the kernel does, and nothing that is not printable. */
static void
copy_squeezed(char out[CPUIDENT_TEXT_MAX], const char *text)
{
	size_t len = 0;

	for (; *text != '\0' && len + 1 < CPUIDENT_TEXT_MAX; text++) {
		char c = *text >= ' ' && *text <= '~' ? *text : ' ';

		if (c != ' ' || (len > 0 && out[len - 1] != ' '))
			out[len++] = c;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

/* Read a small file; false when it is not there. */
static bool
read_file(const char *root, const char *name, char out[CPUIDENT_TEXT_MAX])
{
	auto_free char *text = textfile_below(root, name, FILE_BYTES_MAX);

	if (text == NULL)
		return false;
	copy_squeezed(out, text);
	return out[0] != '\0';
}

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

#define LEAF_BRAND 0x80000002u /* and the next two */
#define LEAF_HYPERVISOR 0x40000000u
#define HYPERVISOR_BIT (1u << 31)

static void
read_brand(struct cpuident *id)
{
	unsigned int regs[12] = {0};
	char text[sizeof(regs) + 1] = "";

	for (unsigned int i = 0; i < 3; i++) {
		unsigned int *r = &regs[i * 4];

		if (__get_cpuid(LEAF_BRAND + i, &r[0], &r[1], &r[2], &r[3]) == 0)
			return;
	}
	memcpy(text, regs, sizeof(regs));
	copy_squeezed(id->brand, text);
}

/* Family and model as the kernel counts them. */
static void
take_signature(struct cpuident *id, unsigned int eax)
{
	id->family = eax >> 8 & 15;
	if (id->family == 15)
		id->family += eax >> 20 & 255;
	id->model = eax >> 4 & 15;
	if (id->family >= 6)
		id->model += (eax >> 16 & 15) << 4;
	id->stepping = eax & 15;
}

static bool
ask_processor(struct cpuident *id)
{
	char vendor[13] = "";
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	if (__get_cpuid(0, &a, &b, &c, &d) == 0)
		return false;
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	copy_squeezed(id->vendor, vendor);
	if (__get_cpuid(1, &a, &b, &c, &d) == 0)
		return false;
	take_signature(id, a);
	read_brand(id);
	id->asked = true;
	id->hypervisor = (c & HYPERVISOR_BIT) != 0;
	if (id->hypervisor) {
		__cpuid(LEAF_HYPERVISOR, a, b, c, d);
		memcpy(vendor, &b, 4);
		memcpy(vendor + 4, &c, 4);
		memcpy(vendor + 8, &d, 4);
		id->xen = str_equal(vendor, "XenVMMXenVMM");
	}
	return true;
}

#else

static bool
ask_processor(struct cpuident *id)
{
	(void)id;
	return false;
}

#endif

/* ARM's main identification register: implementer, variant, part, revision. */
static bool
read_midr(const char *root, struct cpuident *id)
{
	char text[CPUIDENT_TEXT_MAX];
	unsigned long midr;

	if (!read_file(root, CPU_DIR "regs/identification/midr_el1", text))
		return false;
	midr = strtoul(text, NULL, 16);
	(void)snprintf(id->vendor, sizeof(id->vendor), "ARM 0x%02lx", midr >> 24 & 255);
	id->family = midr >> 4 & 0xfff;
	id->model = midr >> 20 & 15;
	id->stepping = midr & 15;
	return true;
}

static bool
has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += len) {
		if ((p == text || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	}
	return false;
}

static void
take_flags(struct cpuident *id, const char *flags)
{
	id->asked = true;
	id->hypervisor = has_word(flags, "hypervisor");
}

static void
take_implementer(struct cpuident *id, const char *value)
{
	char text[CPUIDENT_TEXT_MAX];

	copy_squeezed(text, value);
	(void)snprintf(id->vendor, sizeof(id->vendor), "ARM %.8s", text);
}

/* One "key : value" of /proc/cpuinfo. */
static void
take_pair(struct cpuident *id, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *text;
		unsigned int *number;
	} known[] = {
		{"vendor_id", id->vendor, NULL},
		{"model name", id->brand, NULL},
		{"cpu", id->brand, NULL}, /* POWER */
		{"cpu family", NULL, &id->family},
		{"model", NULL, &id->model},
		{"stepping", NULL, &id->stepping},
		{"microcode", id->microcode, NULL},
		{"CPU part", NULL, &id->family}, /* ARM, this and the next */
		{"CPU variant", NULL, &id->model},
		{"CPU revision", NULL, &id->stepping},
	};

	if (str_equal(key, "flags"))
		take_flags(id, value);
	if (str_equal(key, "CPU implementer"))
		take_implementer(id, value);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!str_equal(key, known[i].key))
			continue;
		if (known[i].text != NULL)
			copy_squeezed(known[i].text, value);
		else
			*known[i].number = (unsigned int)strtoul(value, NULL, 0);
	}
}

/* The first processor of the file stands for all. */
static void
read_cpuinfo(const char *root, struct cpuident *id)
{
	auto_free char *text = textfile_below(root, "proc/cpuinfo", CPUINFO_BYTES_MAX);
	char *line;

	if (text == NULL)
		return;
	for (char *p = text; (line = p) != NULL && *line != '\0' && *line != '\n';) {
		char *colon = line + strcspn(line, ":\n");
		char *end = line + strcspn(line, "\n");

		p = *end == '\n' ? end + 1 : NULL;
		*end = '\0';
		if (colon >= end)
			continue;
		*colon++ = '\0';
		line[strcspn(line, "\t")] = '\0';
		take_pair(id, line, colon + strspn(colon, " "));
	}
}

/* A processor that has no name of its own goes by the machine it is in. */
static void
name_by_machine(const char *root, struct cpuident *id)
{
	struct utsname u;

	if (read_file(root, "sys/firmware/devicetree/base/model", id->brand))
		return;
	if (*root == '\0' && uname(&u) == 0)
		copy_squeezed(id->brand, u.machine);
}

void
cpuident_read(const char *root, struct cpuident *out)
{
	struct cpuident id = {.vendor = ""};
	char microcode[CPUIDENT_TEXT_MAX];

	if (*root == '\0')
		(void)ask_processor(&id);
	else
		read_cpuinfo(root, &id);
	if (!id.asked)
		(void)read_midr(root, &id);
	if (id.brand[0] == '\0')
		name_by_machine(root, &id);
	if (read_file(root, CPU_DIR "microcode/version", microcode))
		str_copy(id.microcode, sizeof(id.microcode), microcode);
	*out = id;
}
