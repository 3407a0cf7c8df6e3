// SPDX-License-Identifier: MIT
/* Log lines to the journal or to stderr. The one place with process-wide state. */
#include "config.h"

#include "base/log.h"

#include <endian.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define MAX_FIELDS 16

static struct {
	enum log_target target;
	int level;
	int fd;		    /* to the journal; -1 before the first message */
	unsigned long lost; /* messages that the journal has not taken */
} logger = {LOG_TO_STDERR, LOG_INFO, -1, 0};

static const struct {
	const char *name;
	int level;
} levels[] = {
	{"err", LOG_ERR},
	{"warning", LOG_WARNING},
	{"notice", LOG_NOTICE},
	{"info", LOG_INFO},
	{"debug", LOG_DEBUG},
};

void
log_open(enum log_target target, int level)
{
	logger.target = target;
	logger.level = level;
	if (target == LOG_TO_JOURNAL && access(JOURNAL_SOCKET, W_OK) < 0)
		logger.target = LOG_TO_STDERR;
}

enum log_target
log_target_detect(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev;
	unsigned long long ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return LOG_TO_STDERR;
	if (fstat(STDERR_FILENO, &st) < 0 || st.st_dev != dev || st.st_ino != ino)
		return LOG_TO_STDERR;
	return LOG_TO_JOURNAL;
}

void
log_set_level(int level)
{
	logger.level = level;
}

bool
log_enabled(int priority)
{
	return priority <= logger.level;
}

int
log_level_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].level;
	}
	return -1;
}

/* One field of journald's native protocol: what has line breaks comes with its length.
 * Source: systemd, JOURNAL_NATIVE_PROTOCOL. */
static void
put_field(struct strbuf *to, const char *name, const char *value)
{
	size_t len = strlen(value);
	uint64_t le = htole64(len);

	strbuf_adds(to, name);
	if (memchr(value, '\n', len) == NULL) {
		strbuf_adds(to, "=");
	} else {
		strbuf_adds(to, "\n");
		strbuf_add(to, (const char *)&le, sizeof(le));
	}
	strbuf_add(to, value, len);
	strbuf_adds(to, "\n");
}

/* libsystemd would wait for a journald that does not read, and VMs with us: what finds
 * no room is lost, and counted. */
static bool
send_datagram(const char *bytes, size_t len)
{
	const struct sockaddr_un journal = {
		.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

	if (logger.fd < 0)
		logger.fd =
			socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return logger.fd >= 0 &&
	       sendto(logger.fd, bytes, len, MSG_NOSIGNAL,
		       (const struct sockaddr *)&journal, sizeof(journal)) >= 0;
}

static bool
send_journal(int priority, const char *message_id, const struct log_field *fields,
	size_t n_fields, const char *text)
{
	struct strbuf to = {0};
	char digit[2] = {(char)('0' + priority), '\0'};
	bool sent;

	put_field(&to, "MESSAGE", text);
	put_field(&to, "PRIORITY", digit);
	put_field(&to, "SYSLOG_IDENTIFIER", "qmpind");
	if (message_id != NULL)
		put_field(&to, "MESSAGE_ID", message_id);
	for (size_t i = 0; i < n_fields && i < MAX_FIELDS; i++)
		put_field(&to, fields[i].name, fields[i].value);
	sent = send_datagram(to.s, to.len);
	strbuf_fini(&to);
	return sent;
}

static void
tell_journal(int priority, const char *message_id, const struct log_field *fields,
	size_t n_fields, const char *text)
{
	char lost[80];

	if (logger.lost > 0) {
		(void)snprintf(lost, sizeof(lost),
			"%lu messages are lost: the journal did not take them",
			logger.lost);
		if (send_journal(LOG_WARNING, NULL, NULL, 0, lost))
			logger.lost = 0;
	}
	if (!send_journal(priority, message_id, fields, n_fields, text))
		logger.lost++;
}

void
log_fields(int priority, const char *message_id, const struct log_field *fields,
	size_t n_fields, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (!log_enabled(priority))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (logger.target == LOG_TO_JOURNAL)
		tell_journal(priority, message_id, fields, n_fields, text);
	else
		(void)fprintf(stderr, "qmpind: %s%s\n",
			priority <= LOG_ERR	  ? "error: "
			: priority == LOG_WARNING ? "warning: "
						  : "",
			text);
}
