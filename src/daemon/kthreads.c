// SPDX-License-Identifier: MIT
/* Kernel threads of vhost among the children of kthreadd, which is always process 2. */
#include "config.h"

#include "daemon/kthreads.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"
#include "vm/kinship.h"
#include "vm/task.h"

#define CHILDREN "2/task/2/children"
/* Large hosts have some ten thousand kernel threads, of up to eight bytes each. */
#define CHILDREN_BYTES_MAX (1u << 20)

static int
compare(const void *a, const void *b)
{
	const struct kthread *x = a;
	const struct kthread *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* The pids in the file's text, ascending. */
static int
parse(char *text, struct kthreads *out)
{
	struct kthreads k = {0};
	char *rest = NULL;
	size_t cap = 0;

	for (char *word = strtok_r(text, " \n", &rest); word != NULL;
		word = strtok_r(NULL, " \n", &rest)) {
		uint64_t pid;

		if (str_parse_uint(word, INT_MAX, &pid) < 0) {
			kthreads_fini(&k);
			return -EINVAL;
		}
		k.all = xgrow(k.all, k.n, &cap, sizeof(*k.all));
		k.all[k.n++] = (struct kthread){.pid = (pid_t)pid};
	}
	if (k.n > 0)
		qsort(k.all, k.n, sizeof(*k.all), compare);
	*out = k;
	return 0;
}

static const struct kthread *
find(const struct kthreads *k, pid_t pid)
{
	const struct kthread key = {.pid = pid};

	return k->n == 0 ? NULL : bsearch(&key, k->all, k->n, sizeof(key), compare);
}

/* Until it is named, a new thread has the name of kthreadd. */
static pid_t
read_owner(int procfd, pid_t pid)
{
	struct task_stat stat;

	if (task_stat_read(procfd, pid, pid, &stat) < 0 ||
		str_equal(stat.comm, "kthreadd"))
		return -1;
	return kinship_vhost_of(&stat);
}

int
kthreads_look(int procfd, struct kthreads *k)
{
	auto_free char *text = NULL;
	struct kthreads now = {0};
	int r = textfile_read_at(procfd, CHILDREN, CHILDREN_BYTES_MAX, &text, NULL);

	if (r == 0)
		r = parse(text, &now);
	if (r < 0)
		return r;
	for (size_t i = 0; i < now.n; i++) {
		struct kthread *t = &now.all[i];
		const struct kthread *old = find(k, t->pid);

		t->owner = old != NULL && old->owner >= 0 ? old->owner
							  : read_owner(procfd, t->pid);
	}
	kthreads_fini(k);
	*k = now;
	return 0;
}

size_t
kthreads_of(const struct kthreads *k, pid_t owner, pid_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->all[i].owner != owner)
			continue;
		if (n < cap)
			out[n] = k->all[i].pid;
		n++;
	}
	return n;
}

void
kthreads_fini(struct kthreads *k)
{
	free(k->all);
	*k = (struct kthreads){.n = 0};
}
