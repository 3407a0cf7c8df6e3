// SPDX-License-Identifier: MIT
/* Traces that hypervisors leave: a bit of the processor, names in firmware tables. */
#include "config.h"

#include "host/virt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"

#define DMI_DIR "sys/class/dmi/id/"
#define TREE_DIR "sys/firmware/devicetree/base/"
#define FILE_BYTES_MAX 65536u
/* Bit of /sys/hypervisor/properties/features: XENFEAT_dom0. */
#define XEN_FEATURE_DOM0 11u

static bool
file_exists(const char *root, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", root, name);

	return access(path, F_OK) == 0;
}

static bool
file_says(const char *root, const char *name, const char *words)
{
	auto_free char *text = textfile_below(root, name, FILE_BYTES_MAX);

	return text != NULL && strstr(text, words) != NULL;
}

/* The domain that owns the hardware. /proc/xen is hidden from services. */
static bool
is_xen_host(const char *root)
{
	auto_free char *features = textfile_below(
		root, "sys/hypervisor/properties/features", FILE_BYTES_MAX);

	if (features != NULL)
		return strtoul(features, NULL, 16) >> XEN_FEATURE_DOM0 & 1;
	return file_says(root, "proc/xen/capabilities", "control_d");
}

/* Clouds also lend whole machines, and these names are on both: where the processor has
 * spoken, they prove nothing. */
static bool
cloud_says(const char *root, const struct cpuident *id)
{
	if (id->asked)
		return false;
	if (file_says(root, DMI_DIR "sys_vendor", "Amazon EC2"))
		return !file_says(root, DMI_DIR "product_name", ".metal");
	return file_says(root, DMI_DIR "product_name", "Google Compute Engine");
}

static bool
firmware_says(const char *root)
{
	static const char *const files[] = {DMI_DIR "product_name",
		DMI_DIR "sys_vendor", DMI_DIR "board_vendor", DMI_DIR "bios_vendor",
		DMI_DIR "product_version"};
	/* Each is how a text begins. */
	static const char *const names[] = {"KVM", "OpenStack", "KubeVirt", "QEMU",
		"VMware", "VMW", "innotek GmbH", "VirtualBox", "Xen", "Bochs",
		"Parallels", "BHYVE", "Hyper-V", "Apple Virtualization"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_free char *text = textfile_below(root, files[i], FILE_BYTES_MAX);

		for (size_t j = 0; text != NULL && j < ARRAY_LEN(names); j++) {
			if (str_has_prefix(text, names[j]))
				return true;
		}
	}
	return false;
}

/* ARM, POWER and s390, whose processors do not tell. */
static bool
machine_says(const char *root)
{
	if (file_exists(root, TREE_DIR "ibm,partition-name") &&
		file_exists(root, TREE_DIR "hmc-managed?"))
		return true;
	return file_exists(root, TREE_DIR "hypervisor/compatible") ||
	       file_exists(root, TREE_DIR "fw-cfg") ||
	       file_says(root, TREE_DIR "compatible", "qemu,pseries") ||
	       file_says(root, TREE_DIR "model", "emulated by qemu") ||
	       file_says(root, "proc/sysinfo", "VM00 Control Program");
}

bool
virt_detect(const char *root, const struct cpuident *id)
{
	bool xen = id->xen || file_says(root, "sys/hypervisor/type", "xen");

	if (xen)
		return !is_xen_host(root);
	return id->hypervisor || firmware_says(root) || cloud_says(root, id) ||
	       machine_says(root);
}
