// SPDX-License-Identifier: MIT
/* Records of VMs that ended while no daemon ran: removed once, at start. */
#include "config.h"

#include "daemon/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "act/record.h"
#include "base/str.h"
#include "vm/task.h"

#define SUFFIX ".json"

/* "103.json" -> "103" */
static bool
id_of(const char *file, char id[65])
{
	size_t len = strlen(file);
	size_t suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix > 64 ||
		strcmp(file + len - suffix, SUFFIX) != 0)
		return false;
	str_copy(id, len - suffix + 1, file);
	return record_id_valid(id);
}

static bool
is_left_over(int procfd, int run_dirfd, const char *id)
{
	struct record record;
	struct task_stat stat;
	struct err why = ERR_NONE;
	int r = record_load(run_dirfd, id, &record, &why);
	bool gone;

	if (r < 0)
		return r == -ESTALE; /* of another boot */
	r = task_stat_read(procfd, record.pid, record.pid, &stat);
	gone = r == -ESRCH || (r == 0 && stat.start_ticks != record.start_ticks);
	record_fini(&record);
	return gone;
}

unsigned int
leftovers_sweep(int procfd, int run_dirfd)
{
	int fd = openat(run_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	unsigned int removed = 0;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		char id[65];

		if (!id_of(entry->d_name, id) || !is_left_over(procfd, run_dirfd, id))
			continue;
		record_remove(run_dirfd, id);
		removed++;
	}
	closedir(dir);
	return removed;
}
