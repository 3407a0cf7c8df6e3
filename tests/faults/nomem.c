// SPDX-License-Identifier: MIT
/*
 * Preloaded into a program: runs it again and again, as children, with another
 * allocation failing each time, until none is left that could; prints how they ended.
 * abort() by the program is a clean end, as xalloc.h has it; an assertion, a signal or
 * a sanitizer's report is not. QMPIN_NOMEM: the file for the figures. QMPIN_NOMEM_MOST:
 * of more allocations than that, so many are taken at even distances.
 *
 * With QMPIN_NOMEM_AT one process runs, in which the allocation with that number fails.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What abort() ends with, which the programs never do. */
#define ABORTED 99
#define TARGETS_OWN 98
#define HANGS_S 20u

/* The C library's own, under these names so that they can be wrapped. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static struct {
	bool counting;
	unsigned long left;   /* allocations before the one that fails; 0: none does */
	unsigned long *count; /* shared with the parent */
} nomem;

struct tally {
	unsigned long runs, good, refused, aborted, bad;
};

static bool
fails(void)
{
	if (!nomem.counting)
		return false;
	++*nomem.count;
	if (nomem.left == 0 || --nomem.left > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(p, bytes);
}

/* Reached from the program; assert() has a way of its own. */
void
abort(void)
{
	_exit(ABORTED);
}

/* An assertion of the fuzz target itself says that it could not go on without memory;
 * one of the code under test is a fault. */
void
__assert_fail(
	const char *what, const char *file, unsigned int line, const char *function)
{
	(void)fprintf(stderr, "%s:%u: %s: assertion %s\n", file, line, function, what);
	if (strstr(file, "tests/fuzz/") != NULL)
		_exit(TARGETS_OWN);
	(void)raise(SIGABRT);
	_exit(1);
}

static void
judge(struct tally *t, unsigned long number, int status)
{
	t->runs++;
	if (WIFSIGNALED(status)) {
		t->bad++;
		(void)fprintf(stderr, "allocation %lu: signal %d\n", number,
			WTERMSIG(status));
	} else if (WEXITSTATUS(status) == ABORTED) {
		t->aborted++;
	} else if (WEXITSTATUS(status) == 0) {
		t->good++;
	} else {
		t->refused++;
	}
}

/* In a child it returns true and main() follows; status is the child's. */
static bool
begin(unsigned long number, int *status)
{
	pid_t pid;

	*nomem.count = 0;
	pid = fork();
	if (pid == 0) {
		nomem.left = number;
		nomem.counting = true;
		(void)alarm(HANGS_S);
		return true;
	}
	if (pid < 0 || waitpid(pid, status, 0) != pid)
		_exit(1);
	return false;
}

static void
report(const char *path, unsigned long allocations, const struct tally *t)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		_exit(1);
	(void)fprintf(f, "%lu %lu %lu %lu %lu %lu\n", allocations, t->runs, t->good,
		t->refused, t->aborted, t->bad);
	(void)fclose(f);
}

__attribute__((constructor)) static void
nomem_start(void)
{
	const char *path = getenv("QMPIN_NOMEM");
	const char *most_text = getenv("QMPIN_NOMEM_MOST");
	const char *at = getenv("QMPIN_NOMEM_AT");
	unsigned long most = most_text != NULL ? strtoul(most_text, NULL, 10) : 1000;
	struct tally t = {0};
	unsigned long all, step;
	int status;

	if (path == NULL && at == NULL)
		return;
	nomem.count = mmap(NULL, sizeof(*nomem.count), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (nomem.count == MAP_FAILED)
		_exit(1);
	(void)unsetenv("LD_PRELOAD"); /* what it starts has memory */
	if (at != NULL) {
		nomem.left = strtoul(at, NULL, 10);
		nomem.counting = true;
		return;
	}
	if (begin(0, &status))
		return;
	all = *nomem.count;
	judge(&t, 0, status);
	step = all / (most > 0 ? most : 1) + 1;
	for (unsigned long i = 1; i <= all; i += step) {
		if (begin(i, &status))
			return;
		judge(&t, i, status);
	}
	report(path, all, &t);
	_exit(t.bad > 0);
}
