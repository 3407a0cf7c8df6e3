// SPDX-License-Identifier: MIT
/*
 * /proc/self/mountinfo, of which the fifth field counts. Source: proc(5); the kernel
 * writes blanks, line ends and backslashes as \ooo.
 */
#include "config.h"

#include "host/mounts.h"

#include <stddef.h>
#include <string.h>

#include "base/attr.h"
#include "host/textfile.h"

#define MOUNTINFO "/proc/self/mountinfo"
/* Some 150 bytes a mount, of which a host of containers has thousands. */
#define BYTES_MAX (8u << 20)
#define FIELDS_BEFORE 4

static bool
is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* One byte of a name, past which *at is moved. */
static char
next_byte(const char **at)
{
	const char *s = *at;

	if (s[0] != '\\' || !is_octal(s[1]) || !is_octal(s[2]) || !is_octal(s[3])) {
		*at = s + 1;
		return s[0];
	}
	*at = s + 4;
	return (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
}

static bool
is_field(const char *field, const char *path)
{
	while (*field != ' ' && *field != '\n' && *field != '\0' && *path != '\0') {
		if (next_byte(&field) != *path++)
			return false;
	}
	return *path == '\0' && (*field == ' ' || *field == '\n' || *field == '\0');
}

bool
mounts_listed(const char *text, const char *path)
{
	while (*text != '\0') {
		const char *field = text;

		for (int i = 0; i < FIELDS_BEFORE; i++) {
			field += strcspn(field, " \n");
			field += *field == ' ';
		}
		if (is_field(field, path))
			return true;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}

bool
mounts_has(const char *path)
{
	auto_free char *text = NULL;

	return textfile_read(MOUNTINFO, BYTES_MAX, &text, NULL) == 0 &&
	       mounts_listed(text, path);
}
