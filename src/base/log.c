// SPDX-License-Identifier: MIT
/* Log lines to the journal or to stderr. The one place with process-wide state. */
#include "config.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

#define MAX_FIELDS 16

static struct {
	enum log_target target;
	int level;
} logger = {LOG_TO_STDERR, LOG_INFO};

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
	if (target == LOG_TO_JOURNAL && access("/run/systemd/journal/socket", W_OK) < 0)
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

static void
send_journal(int priority, const char *message_id, const struct log_field *fields,
	size_t n_fields, const char *text)
{
	struct iovec iov[MAX_FIELDS + 4];
	char *lines[MAX_FIELDS + 4];
	int n = 0;

	lines[n++] = xasprintf("MESSAGE=%s", text);
	lines[n++] = xasprintf("PRIORITY=%d", priority);
	lines[n++] = xstrdup("SYSLOG_IDENTIFIER=qmpind");
	if (message_id != NULL)
		lines[n++] = xasprintf("MESSAGE_ID=%s", message_id);
	for (size_t i = 0; i < n_fields && i < MAX_FIELDS; i++)
		lines[n++] = xasprintf("%s=%s", fields[i].name, fields[i].value);
	for (int i = 0; i < n; i++)
		iov[i] = (struct iovec){lines[i], strlen(lines[i])};
	(void)sd_journal_sendv(iov, n);
	for (int i = 0; i < n; i++)
		free(lines[i]);
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
		send_journal(priority, message_id, fields, n_fields, text);
	else
		(void)fprintf(stderr, "qmpind: %s%s\n",
			priority <= LOG_ERR	  ? "error: "
			: priority == LOG_WARNING ? "warning: "
						  : "",
			text);
}
