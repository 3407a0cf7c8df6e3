// SPDX-License-Identifier: MIT
/*
 * Any bytes as what people and journald read: escaped text can be read back and holds
 * nothing but printable ASCII, and a field of a log line never becomes another one. And
 * numbers, and the caps on JSON.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "parts.h"

/* One escape out of the text; returns its length. */
static size_t
unescape(const char *text, char *out)
{
	unsigned int c;

	assert(*text >= 0x20 && *text <= 0x7e);
	*out = *text;
	if (*text != '\\')
		return 1;
	if (text[1] == '\\')
		return 2;
	assert(text[1] == 'x' && sscanf(text + 2, "%2x", &c) == 1);
	*out = (char)c;
	return 4;
}

/* The first byte says how much room there is. */
static void
check_escape(const char *bytes, size_t len)
{
	size_t size = len > 0 ? (unsigned char)bytes[0] + 1u : 1;
	auto_free char *out = xcalloc(size, 1);
	const char *p;
	size_t n = 0;

	memset(out, 'x', size);
	p = str_escape(bytes, len, out, size);
	assert(p == out && memchr(out, '\0', size) != NULL);
	for (; *p != '\0'; n++) {
		char c;

		assert(n < len);
		p += unescape(p, &c);
		assert(c == bytes[n]);
	}
	/* cut only where the next one has no room */
	assert(n == len || strlen(out) + 4 >= size);
}

static void
check_number(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	char digits[32];
	uint64_t max = UINT64_MAX >> (len % 64);
	uint64_t n = 7;
	int r = str_parse_uint(text, max, &n);
	const char *p = text + strspn(text, "0");

	assert(r == 0 || r == -EINVAL || r == -ERANGE);
	assert((r == -EINVAL) ==
		(*text == '\0' || strspn(text, "0123456789") != strlen(text)));
	assert(r == 0 || n == 7);
	(void)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	assert(r < 0 || (n <= max && strcmp(digits, *p != '\0' ? p : "0") == 0));
}

static void
check_error(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	struct err e = ERR_NONE;
	int r = err_set(&e, -EIO, text, 3, "%s", text);

	assert(r == -EIO && err_is_set(&e) && e.line == 3);
	for (const char *p = e.text; *p != '\0'; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
	for (const char *p = e.source; *p != '\0'; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
}

/* What went to journald, instead of it. */
static struct strbuf sent;

int __wrap_access(const char *path, int mode);
ssize_t __wrap_sendto(int fd, const void *bytes, size_t len, int flags,
	const struct sockaddr *to, socklen_t size);

int
__wrap_access(const char *path, int mode)
{
	(void)path;
	(void)mode;
	return 0;
}

ssize_t
__wrap_sendto(int fd, const void *bytes, size_t len, int flags,
	const struct sockaddr *to, socklen_t size)
{
	(void)fd;
	(void)flags;
	(void)to;
	(void)size;
	strbuf_add(&sent, bytes, len);
	return (ssize_t)len;
}

/* The next field is this one, as journald reads it; returns what is behind it. */
static const char *
expect_field(const char *p, const char *end, const char *name, const char *value)
{
	size_t len = strlen(value);
	uint64_t le;

	assert((size_t)(end - p) > strlen(name) && str_has_prefix(p, name));
	p += strlen(name);
	if (*p++ == '\n') {
		assert((size_t)(end - p) >= sizeof(le));
		memcpy(&le, p, sizeof(le));
		p += sizeof(le);
		assert(le64toh(le) == len);
	} else {
		assert(p[-1] == '=' && strchr(value, '\n') == NULL);
	}
	assert((size_t)(end - p) > len && memcmp(p, value, len) == 0);
	assert(p[len] == '\n');
	return p + len + 1;
}

static void
check_log(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	auto_free char *message = xasprintf("vm %.100s", text);
	const struct log_field fields[] = {{"QMPIN_VM", text}, {"QMPIN_REASON", text}};
	const char *end;
	const char *p;

	log_open(LOG_TO_JOURNAL, LOG_INFO);
	log_fields(LOG_NOTICE, "0123", fields, ARRAY_LEN(fields), "%s", message);
	p = strbuf_text(&sent);
	end = p + sent.len;
	p = expect_field(p, end, "MESSAGE", message);
	p = expect_field(p, end, "PRIORITY", "5");
	p = expect_field(p, end, "SYSLOG_IDENTIFIER", "qmpind");
	p = expect_field(p, end, "MESSAGE_ID", "0123");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		p = expect_field(p, end, fields[i].name, text);
	assert(p == end);
	strbuf_fini(&sent);
}

/* Members, elements and the values that hold them; and how deep they are. */
static size_t
count_values(json_t *value, unsigned int depth, unsigned int *deepest)
{
	size_t n = 0;
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	*deepest = depth > *deepest ? depth : *deepest;
	json_object_foreach (value, key, item)
		n += 1 + count_values(item, depth + 1, deepest);
	json_array_foreach (value, i, item)
		n += 1 + count_values(item, depth + 1, deepest);
	return n;
}

static void
check_json(const char *bytes, size_t len)
{
	const struct json_caps caps = {200, 4, 20};
	auto_json json_t *value = NULL;
	struct err e = ERR_NONE;
	unsigned int deepest = 0;
	uint64_t number = 7;
	int r = json_parse_object(bytes, len, &caps, &value, &e);

	assert(r == 0 || r == -E2BIG || r == -EBADMSG);
	assert((r < 0) == err_is_set(&e) && (r < 0) == (value == NULL));
	if (r < 0)
		return;
	assert(len <= caps.bytes && json_is_object(value));
	assert(count_values(value, 1, &deepest) <= caps.values);
	assert(deepest <= caps.depth);
	r = json_get_uint(value, "n", 1000, &number);
	assert(r == 0 ? number <= 1000 : number == 7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {
		check_escape, check_number, check_error, check_log, check_json};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}
