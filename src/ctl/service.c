// SPDX-License-Identifier: MIT
/*
 * What a request means. Order of the checks: interface, method declared, parameters as
 * declared, method there, allowed on this socket.
 */
#include "config.h"

#include "ctl/service.h"

#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/call.h"
#include "ctl/idl.h"
#include "ctl/text.h"

#define SERVICE_INTERFACE "org.varlink.service"

static const struct {
	const char *name;
	const char *text;
} interfaces[] = {
	{CTL_INTERFACE, text_io_qmpin},
	{SERVICE_INTERFACE, text_org_varlink_service},
};

/* NULL: unknown. */
static const char *
interface_text(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++) {
		if (strcmp(interfaces[i].name, name) == 0)
			return interfaces[i].text;
	}
	return NULL;
}

/* An error of the service's interface with one string. */
static void
refuse(struct ctl_call *call, const char *error, const char *key, const char *value)
{
	ctl_error(call, error, json_pack("{s:s}", key, value));
}

static void
get_info(const struct service *s, struct ctl_call *call)
{
	json_t *names = json_array();

	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++)
		json_array_append_new(names, json_string(interfaces[i].name));
	ctl_reply(call,
		json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "qmpin", "product",
			"qmpind", "version", s->version, "url", "", "interfaces",
			names),
		false);
}

static void
get_description(struct ctl_call *call, const json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "interface"));
	const char *text = interface_text(name);

	if (text == NULL)
		refuse(call, SERVICE_INTERFACE ".InterfaceNotFound", "interface", name);
	else
		ctl_reply(call, json_pack("{s:s}", "description", text), false);
}

static const struct ctl_method *
find_method(const struct service *s, const char *name)
{
	for (size_t i = 0; i < s->n_methods; i++) {
		if (strcmp(s->methods[i].name, name) == 0)
			return &s->methods[i];
	}
	return NULL;
}

static void
call_method(const struct service *s, struct ctl_call *call, const char *name,
	const struct varlink_request *request)
{
	const struct ctl_method *m = find_method(s, name);

	if (m == NULL)
		refuse(call, SERVICE_INTERFACE ".MethodNotImplemented", "method",
			request->method);
	else if (m->changes && !call_may_change(call))
		refuse(call, "NotPermitted", "what", name);
	else
		m->handle(s->owner, call, request->parameters);
}

void
service_dispatch(const struct service *s, struct ctl_call *call,
	const struct varlink_request *request)
{
	const char *dot = strrchr(request->method, '.');
	size_t len = dot != NULL ? (size_t)(dot - request->method) : 0;
	auto_free char *interface = xmemdupz(request->method, len);
	const char *name = request->method + len + (dot != NULL);
	const char *text = interface_text(interface);
	char bad[64];

	if (text == NULL)
		refuse(call, SERVICE_INTERFACE ".InterfaceNotFound", "interface",
			interface);
	else if (!idl_has(text, IDL_METHOD_IN, name))
		refuse(call, SERVICE_INTERFACE ".MethodNotFound", "method",
			request->method);
	else if (request->upgrade)
		ctl_invalid(call, "upgrade");
	else if (!idl_check(text, IDL_METHOD_IN, name, request->parameters, bad,
			 sizeof(bad)))
		ctl_invalid(call, bad);
	else if (text == text_io_qmpin)
		call_method(s, call, name, request);
	else if (strcmp(name, "GetInfo") == 0)
		get_info(s, call);
	else
		get_description(call, request->parameters);
}
