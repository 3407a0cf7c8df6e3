// SPDX-License-Identifier: MIT
/*
 * Processes and threads from /proc: the stat line and the list of tids.
 *
 * Everything goes through PID/task/TID, so a tid of another process is never found, and
 * every read is bounded. Whether the process is the right one is identity's affair.
 */
#include "config.h"

#include "vm/task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

/* Numbers of the fields in proc(5); the name is field 2. */
enum {
	FIELD_STATE = 3,
	FIELD_FLAGS = 9,
	FIELD_UTIME = 14,
	FIELD_STIME = 15,
	FIELD_START = 22,
	FIELD_CPU = 39,
};

/* 52 fields of at most 21 bytes and the name: a longer text is no stat file. */
#define STAT_TEXT_MAX 2048u

/* One decimal number; *p moves behind it. */
static int
read_number(const char **p, const char *end, uint64_t *out)
{
	const char *first = *p;
	uint64_t value = 0;

	/* clang-tidy takes -errno for the length of a text that was read */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		value = value * 10 + digit;
	}
	if (*p == first)
		return -EINVAL;
	*out = value;
	return 0;
}

/* " 123", or " -1" where that is allowed; the sign is dropped. */
static int
read_field(const char **p, const char *end, bool may_be_negative, uint64_t *out)
{
	if (*p == end || **p != ' ')
		return -EINVAL;
	(*p)++;
	if (may_be_negative && *p < end && **p == '-')
		(*p)++;
	return read_number(p, end, out);
}

static bool
is_kept(unsigned int field)
{
	return field == FIELD_FLAGS || field == FIELD_UTIME || field == FIELD_STIME ||
	       field == FIELD_START || field == FIELD_CPU;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "4711 (name) S": the name may hold anything but NUL, so it ends at the last ')'. */
static int
read_head(const char **p, const char *end, struct task_stat *s)
{
	const char *close = memrchr(*p, ')', (size_t)(end - *p));
	const char *name;
	uint64_t tid;
	size_t len;

	if (close == NULL || read_number(p, end, &tid) < 0 || tid == 0 || tid > INT_MAX)
		return -EINVAL;
	if (end - *p < 2 || (*p)[0] != ' ' || (*p)[1] != '(' || close < *p + 2)
		return -EINVAL;
	name = *p + 2;
	len = (size_t)(close - name);
	if (len >= sizeof(s->comm) || memchr(name, '\0', len) != NULL)
		return -EINVAL;
	if (end - close < 3 || close[1] != ' ' || !is_letter(close[2]))
		return -EINVAL;
	s->tid = (pid_t)tid;
	memcpy(s->comm, name, len);
	s->comm[len] = '\0';
	s->state = close[2];
	*p = close + 3;
	return 0;
}

int
task_stat_parse(const char *text, size_t len, struct task_stat *out)
{
	uint64_t field[FIELD_CPU + 1];
	const char *end = text + len;
	const char *p = text;
	struct task_stat s = {0};
	int r;

	r = read_head(&p, end, &s);
	for (unsigned int i = FIELD_STATE + 1; r == 0 && i <= FIELD_CPU; i++)
		r = read_field(&p, end, !is_kept(i), &field[i]);
	if (r < 0)
		return r;
	if (p < end && *p != ' ' && *p != '\n')
		return -EINVAL;
	if (field[FIELD_FLAGS] > UINT_MAX || field[FIELD_CPU] > INT_MAX)
		return -EINVAL;
	if (field[FIELD_UTIME] > UINT64_MAX - field[FIELD_STIME])
		return -EINVAL;
	s.flags = (unsigned int)field[FIELD_FLAGS];
	s.start_ticks = field[FIELD_START];
	s.last_cpu = (int)field[FIELD_CPU];
	s.cpu_ticks = field[FIELD_UTIME] + field[FIELD_STIME];
	*out = s;
	return 0;
}

/* What a vanished process looks like depends on the moment: no such entry, or no such
 * process behind an entry that is open already. */
static int
gone_or_errno(void)
{
	return errno == ENOENT || errno == ENOTDIR ? -ESRCH : -errno;
}

ssize_t
task_read_file(int dirfd, const char *path, char *text, size_t cap)
{
	auto_close int fd =
		openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return gone_or_errno();
	n = read(fd, text, cap);
	return n < 0 ? gone_or_errno() : n;
}

int
task_stat_read(int procfd, pid_t pid, pid_t tid, struct task_stat *out)
{
	char text[STAT_TEXT_MAX];
	struct task_stat s;
	char path[64];
	ssize_t n;
	int r;

	(void)snprintf(path, sizeof(path), "%d/task/%d/stat", (int)pid, (int)tid);
	n = task_read_file(procfd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if ((size_t)n == sizeof(text))
		return -EINVAL;
	r = task_stat_parse(text, (size_t)n, &s);
	if (r < 0)
		return r;
	if (s.tid != tid)
		return -EINVAL;
	*out = s;
	return 0;
}

struct tid_list {
	pid_t *tids;
	size_t n;
	size_t cap;
	bool ascending; /* and without duplicates, so far */
};

static int
add_tid(struct tid_list *list, const char *name)
{
	uint64_t tid;

	if (str_parse_uint(name, INT_MAX, &tid) < 0 || tid == 0)
		return 0; /* "." and ".." */
	if (list->n == TASKS_MAX)
		return -E2BIG;
	list->tids = xgrow(list->tids, list->n, &list->cap, sizeof(*list->tids));
	if (list->n > 0 && list->tids[list->n - 1] >= (pid_t)tid)
		list->ascending = false;
	list->tids[list->n++] = (pid_t)tid;
	return 0;
}

/* getdents64 and not readdir: an audit pass comes here for every VM, and without
 * opendir's allocation and extra calls it takes a quarter less. */
static int
read_tids(int fd, struct tid_list *list)
{
	_Alignas(struct dirent64) char buf[8192];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = getdents64(fd, buf, sizeof(buf))) != 0) {
		if (n < 0)
			return gone_or_errno();
		for (ssize_t at = 0; r == 0 && at < n;) {
			const struct dirent64 *d = (const void *)(buf + at);

			r = add_tid(list, d->d_name);
			at += d->d_reclen;
		}
	}
	return r;
}

static int
compare_tids(const void *a, const void *b)
{
	const pid_t *x = a;
	const pid_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* The kernel lists threads in order of creation: ascending until tids wrap. */
static void
sort_tids(struct tid_list *list)
{
	size_t kept = 0;

	qsort(list->tids, list->n, sizeof(*list->tids), compare_tids);
	for (size_t i = 0; i < list->n; i++) {
		if (kept == 0 || list->tids[kept - 1] != list->tids[i])
			list->tids[kept++] = list->tids[i];
	}
	list->n = kept;
}

ssize_t
task_list_read(int procfd, pid_t pid, pid_t **tids)
{
	struct tid_list list = {.ascending = true};
	auto_close int fd = -1;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "%d/task", (int)pid);
	fd = openat(procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gone_or_errno();
	r = read_tids(fd, &list);
	if (r == 0 && list.n == 0)
		r = -ESRCH;
	if (r < 0) {
		free(list.tids);
		return r;
	}
	if (!list.ascending)
		sort_tids(&list);
	*tids = list.tids;
	return (ssize_t)list.n;
}
