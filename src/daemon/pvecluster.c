// SPDX-License-Identifier: MIT
/* From the cluster's files to the settings and the VMs. */
#include "config.h"

#include "daemon/pvecluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/conflayers.h"
#include "daemon/engine.h"
#include "daemon/hearing.h"
#include "daemon/pvewatch.h"

#define CONF "qmpin.conf"
#define DATACENTER "datacenter.cfg"

struct pvecluster {
	struct pvecluster_options o;
	struct pvewatch *watch;
	bool had_conf;
};

static char *
bad_conf(const struct pvecluster *c)
{
	return c->o.engine->wishing.bad_conf;
}

/* The last good one stays; the control interface says so until there is a good one. */
static void
refuse_conf(struct pvecluster *c, const char *why)
{
	struct wishing *w = &c->o.engine->wishing;

	(void)snprintf(w->bad_conf, sizeof(w->bad_conf), "%.470s: %s", why,
		c->had_conf ? "the last good one stays" : "it does not count");
	log_warning("%s", w->bad_conf);
}

static void
take_conf(struct pvecluster *c, const char *text, size_t len)
{
	struct err why = ERR_NONE;
	struct settings config;
	char line[512];

	if (!conflayers_heeds_cluster(c->o.files))
		return;
	if (text == NULL && !c->had_conf) {
		bad_conf(c)[0] = '\0';
		return;
	}
	if (conflayers_take_cluster(c->o.files, text, len, &config, &why) < 0) {
		refuse_conf(c, err_format(&why, line, sizeof(line)));
		return;
	}
	bad_conf(c)[0] = '\0';
	c->had_conf = text != NULL;
	log_info(CONFLAYERS_CLUSTER "%s", text != NULL ? " is read" : " has gone");
	c->o.on_settings(c->o.owner, &config);
}

static void
on_pve_vm(void *owner, const char *id, const char *text, size_t len)
{
	const struct pvecluster *c = owner;

	hearing_take(c->o.engine, id, text, len);
}

static void
on_pve_cluster(void *owner, const char *name, const char *text, size_t len)
{
	struct pvecluster *c = owner;

	if (str_equal(name, CONF))
		take_conf(c, text, len);
	else if (str_equal(name, DATACENTER))
		hearing_take_datacenter(c->o.engine, text, len);
}

static void
on_pve_settled(void *owner)
{
	const struct pvecluster *c = owner;

	hearing_settle(c->o.engine);
}

static void
on_pve_trouble(void *owner, const char *why)
{
	const struct pvecluster *c = owner;
	struct wishing *w = &c->o.engine->wishing;

	str_copy(w->trouble, sizeof(w->trouble), why != NULL ? why : "");
	if (why != NULL)
		log_warning("%s", why);
	else
		log_info("/etc/pve is read again");
}

static void
on_pve_unread(void *owner, const char *name, const char *why)
{
	struct pvecluster *c = owner;
	char line[512];

	(void)snprintf(
		line, sizeof(line), "/etc/pve/%s: %s", name, why != NULL ? why : "");
	if (str_equal(name, CONF) && why == NULL)
		bad_conf(c)[0] = '\0';
	else if (str_equal(name, CONF) && conflayers_heeds_cluster(c->o.files))
		refuse_conf(c, line);
	else if (str_equal(name, DATACENTER) && why != NULL)
		log_warning("%s", line);
	else
		hearing_take_unread(c->o.engine, name, why);
}

static const struct pvewatch_callbacks callbacks = {
	.on_vm = on_pve_vm,
	.on_cluster = on_pve_cluster,
	.on_settled = on_pve_settled,
	.on_trouble = on_pve_trouble,
	.on_unread = on_pve_unread,
};

struct pvecluster *
pvecluster_new(const struct pvecluster_options *o)
{
	struct pvecluster *c = xcalloc(1, sizeof(*c));
	struct wishing *w = &o->engine->wishing;
	const char *other = getenv(PVECLUSTER_ROOT_ENV);
	struct err why = ERR_NONE;

	c->o = *o;
	w->root = o->foreign ? NULL : o->root;
	if (pvewatch_new(o->engine->base, other != NULL ? other : o->root,
		    pvewatch_program(), &callbacks, c, &c->watch, &why) < 0)
		log_warning("/etc/pve is not read: %s", why.text);
	w->watch = c->watch;
	return c;
}

void
pvecluster_free(struct pvecluster *c)
{
	if (c == NULL)
		return;
	pvewatch_free(c->watch);
	free(c);
}

void
pvecluster_look(struct pvecluster *c)
{
	if (c != NULL && c->watch != NULL)
		pvewatch_look(c->watch);
}
