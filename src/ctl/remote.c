// SPDX-License-Identifier: MIT
/* Errors of the daemon as sentences. Pure. */
#include "config.h"

#include "ctl/remote.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

static const char *
text_of(const json_t *params, const char *key)
{
	const char *text;

	return json_get_string(params, key, &text) == 0 ? text : "?";
}

/* The sentence is before, the first parameter, between, the second one, after. */
static const struct sentence {
	const char *error;
	int result;
	const char *before;
	const char *first;
	const char *between;
	const char *second; /* NULL: only one */
	const char *after;
} sentences[] = {
	{"io.qmpin.VMNotFound", -ENOENT, "no VM ", "id", "", NULL,
		" (qmpin ps lists them)"},
	{"io.qmpin.NotManaged", -EREMOTEIO, "VM ", "id", " is not managed: ", "why",
		""},
	{"io.qmpin.NotPermitted", -EACCES, "", "what", "", NULL,
		" is not permitted here: run it as root"},
	{"io.qmpin.InvalidValue", -EREMOTEIO, "", "field", ": ", "why", ""},
	{"io.qmpin.Busy", -EREMOTEIO, "qmpind is busy: ", "what", "", NULL, ""},
	{"io.qmpin.Failed", -EREMOTEIO, "", "why", "", NULL, ""},
	{"org.varlink.service.MethodNotFound", -EREMOTEIO, "this qmpind does not know ",
		"method", "", NULL, ": is it older than qmpin?"},
	{"org.varlink.service.MethodNotImplemented", -EREMOTEIO, "this qmpind has no ",
		"method", " yet", NULL, ""},
	{"org.varlink.service.InterfaceNotFound", -EREMOTEIO,
		"not qmpind: there is no ", "interface", "", NULL, " here"},
	{"org.varlink.service.InvalidParameter", -EREMOTEIO,
		"qmpind refuses the value of '", "parameter", "'", NULL, ""},
};

int
remote_error(const char *method, const char *error, const json_t *params, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
		const struct sentence *s = &sentences[i];

		if (strcmp(s->error, error) != 0)
			continue;
		return err_set(e, s->result, NULL, 0, "%s%s%s%s%s", s->before,
			text_of(params, s->first), s->between,
			s->second != NULL ? text_of(params, s->second) : "", s->after);
	}
	return err_set(e, -EREMOTEIO, NULL, 0, "%s failed: %s", method, error);
}
