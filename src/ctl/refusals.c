// SPDX-License-Identifier: MIT
/* Errors that several methods answer with: their names and members. Pure. */
#include "config.h"

#include "base/err.h"
#include "ctl/server.h"
#include "ctl/shapes.h"

void
ctl_invalid(struct ctl_call *call, const char *parameter)
{
	ctl_error(call, "org.varlink.service.InvalidParameter",
		json_pack("{s:s}", "parameter", parameter));
}

void
ctl_failed(struct ctl_call *call, const char *why)
{
	ctl_error(call, "Failed", json_pack("{s:o}", "why", ctl_text_json(why)));
}

void
ctl_failed_by(struct ctl_call *call, const struct err *why)
{
	char text[sizeof(*why)];

	ctl_failed(call, err_format(why, text, sizeof(text)));
}

void
ctl_invalid_value(struct ctl_call *call, const char *field, const char *why)
{
	ctl_error(call, "InvalidValue",
		json_pack("{s:s, s:o}", "field", field, "why", ctl_text_json(why)));
}

void
ctl_not_managed(struct ctl_call *call, const char *id, const char *why)
{
	ctl_error(call, "NotManaged",
		json_pack("{s:s, s:o}", "id", id, "why", ctl_text_json(why)));
}

void
ctl_vm_not_found(struct ctl_call *call, const char *id)
{
	ctl_error(call, "VMNotFound", json_pack("{s:s}", "id", id));
}
