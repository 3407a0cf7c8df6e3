// SPDX-License-Identifier: MIT
/*
 * Log lines: to the journal with fields when systemd started us, else to stderr as
 * plain lines. Only the daemon's outer layers log; libraries return errors.
 */
#ifndef QMPIN_BASE_LOG_H
#define QMPIN_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

#include "base/attr.h"

enum log_target { LOG_TO_STDERR, LOG_TO_JOURNAL };

/* A journal field ("QMPIN_VM", "103"). Borrowed for the call. */
struct log_field {
	const char *name;
	const char *value;
};

/**
 * Where to log. Falls back to stderr when the journal's socket is not there.
 *
 * @level  least important priority that is written (LOG_INFO)
 */
void log_open(enum log_target target, int level);

/** Journal when stderr is the journal's stream (JOURNAL_STREAM names it), else stderr.
 */
enum log_target log_target_detect(void);

void log_set_level(int level);
bool log_enabled(int priority);

/** LOG_ERR ... LOG_DEBUG from "err", "warning", "notice", "info", "debug"; -1: none. */
int log_level_parse(const char *name);

/**
 * One line. Lower case, object first, no full stop: "vm 103: vCPU 2 14 -> 6 (drift)".
 * Text from outside must have passed str_escape.
 *
 * @message_id  128-bit id of the catalog as 32 hex digits, or NULL
 */
void log_fields(int priority, const char *message_id, const struct log_field *fields,
	size_t n_fields, const char *fmt, ...) PRINTF_LIKE(5, 6);

#define log_error(...) log_fields(LOG_ERR, NULL, NULL, 0, __VA_ARGS__)
#define log_warning(...) log_fields(LOG_WARNING, NULL, NULL, 0, __VA_ARGS__)
#define log_notice(...) log_fields(LOG_NOTICE, NULL, NULL, 0, __VA_ARGS__)
#define log_info(...) log_fields(LOG_INFO, NULL, NULL, 0, __VA_ARGS__)
#define log_debug(...) log_fields(LOG_DEBUG, NULL, NULL, 0, __VA_ARGS__)

#endif
