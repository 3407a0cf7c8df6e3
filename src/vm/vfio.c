// SPDX-License-Identifier: MIT
/* Words of a command line that name devices of the host: -device vfio-pci,... */
#include "config.h"

#include "vm/vfio.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

#define DRIVER "vfio-pci"
#define SHORT_ADDRESS 7u /* "01:00.0": of domain 0 */

struct caller {
	vfio_handle *handle;
	void *arg;
};

/* Part of a name in a directory of the kernel: harmless as a part of a path. */
static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < VFIO_NAME_MAX && name[0] != '.' &&
	       strspn(name, "0123456789abcdefABCDEF:.-") == len;
}

static void
tell(const struct caller *c, const char *name)
{
	char address[VFIO_NAME_MAX + 8] = "0000:";

	if (!is_name(name))
		return;
	if (strlen(name) == SHORT_ADDRESS && name[2] == ':') {
		str_copy(address + 5, sizeof(address) - 5, name);
		name = address;
	}
	c->handle(c->arg, name);
}

/* The value of a property that says which device it is. */
static void
take_property(const struct caller *c, const char *key, const char *value)
{
	static const char *const dirs[] = {
		"/sys/bus/pci/devices/", "/sys/bus/mdev/devices/"};

	if (str_equal(key, "host")) {
		tell(c, value);
		return;
	}
	for (size_t i = 0; str_equal(key, "sysfsdev") && i < ARRAY_LEN(dirs); i++) {
		if (str_has_prefix(value, dirs[i]))
			tell(c, value + strlen(dirs[i]));
	}
}

/* "vfio-pci,host=0000:01:00.0,id=hostpci0". A value with a comma in it has two there,
 * and is none of ours. */
static void
take_properties(const struct caller *c, const char *word)
{
	auto_free char *copy = xstrdup(word);
	char *rest = copy;
	char *part = strsep(&rest, ",");

	if (str_has_prefix(part, "driver="))
		part += strlen("driver=");
	if (!str_has_prefix(part, DRIVER))
		return;
	while ((part = strsep(&rest, ",")) != NULL) {
		char *value = strchr(part, '=');

		if (value == NULL)
			continue;
		*value = '\0';
		take_property(c, part, value + 1);
	}
}

static void
take_object(const struct caller *c, const char *word)
{
	static const struct json_caps caps = {4096, 4, 256};
	auto_json json_t *device = NULL;
	const char *driver;
	const char *key;
	json_t *value;

	if (json_parse_object(word, strlen(word), &caps, &device, NULL) < 0 ||
		json_get_string(device, "driver", &driver) < 0 ||
		!str_has_prefix(driver, DRIVER))
		return;
	json_object_foreach (device, key, value) {
		if (json_is_string(value))
			take_property(c, key, json_string_value(value));
	}
}

static void
take_device(const struct caller *c, const char *word)
{
	if (strstr(word, DRIVER) == NULL)
		return;
	if (word[0] == '{')
		take_object(c, word);
	else
		take_properties(c, word);
}

void
vfio_each(const char *words, size_t len, vfio_handle *handle, void *arg)
{
	const struct caller c = {handle, arg};
	bool device = false;

	while (len > 0) {
		size_t n = strnlen(words, len);
		auto_free char *word = xmemdupz(words, n);

		if (n == len)
			return; /* cut */
		if (device)
			take_device(&c, word);
		device = str_equal(word, "-device") || str_equal(word, "--device");
		words += n + 1;
		len -= n + 1;
	}
}
