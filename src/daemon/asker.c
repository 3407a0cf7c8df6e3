// SPDX-License-Identifier: MIT
/*
 * Who has asked. User and process are the kernel's word, taken when the client
 * connected; the name is what that process says of itself now.
 */
#include "config.h"

#include "daemon/asker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "ctl/server.h"
#include "daemon/engine.h"
#include "vm/task.h"

const char *
asker_text(int procfd, const struct ctl_peer *peer, char *buf, size_t size)
{
	char name[4 * TASK_COMM_MAX] = "";
	struct task_stat stat;

	if (task_stat_read(procfd, peer->pid, peer->pid, &stat) == 0)
		str_escape(stat.comm, strlen(stat.comm), name, sizeof(name));
	(void)snprintf(buf, size, "uid %u pid %d%s%s%s", (unsigned int)peer->uid,
		(int)peer->pid, name[0] != '\0' ? " (" : "", name,
		name[0] != '\0' ? ")" : "");
	return buf;
}

void
asker_log(const struct engine *e, const struct ctl_call *call, int priority,
	const char *fmt, ...)
{
	char who[ASKER_MAX];
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	log_fields(priority, NULL, NULL, 0, "%s: asked by %s", what,
		asker_text(e->procfd, ctl_call_peer(call), who, sizeof(who)));
}
