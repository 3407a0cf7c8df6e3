// SPDX-License-Identifier: MIT
/*
 * Who has asked. User and process are the kernel's word, taken when the client
 * connected; the name is what that process says of itself now.
 */
#include "config.h"

#include "daemon/asker.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ctl/server.h"
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
