// SPDX-License-Identifier: MIT
/* Files that are named as records; what is in them is record.c's. */
#include "config.h"

#include "act/recorddir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "act/record.h"
#include "base/str.h"

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

int
recorddir_each(int dirfd, recorddir_handler *handle, void *arg)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)) != NULL) {
		char id[65];

		if (id_of(entry->d_name, id))
			handle(arg, id);
	}
	closedir(dir);
	return 0;
}
