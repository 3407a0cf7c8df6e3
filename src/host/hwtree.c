// SPDX-License-Identifier: MIT
/*
 * The child process around hwloc: what it finds comes back through a pipe, what it does
 * to its environment, its memory or itself does not.
 */
#include "config.h"

#include "host/hwtree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "host/hwscan.h"

/* What the child is to do. @xml NULL: read @root. */
struct job {
	const char *root;
	const char *xml;
	const char *name;
};

/* Ahead of the arrays of the facts, in the pipe. */
struct answer {
	int r;
	struct err e;
	unsigned int n_cpus;
	unsigned int n_nodes;
	unsigned int has_distances;
};

static void
write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		p += n;
		len -= (size_t)n;
	}
}

static int
read_all(int fd, void *bytes, size_t len)
{
	char *p = bytes;

	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Keep nothing of the parent but the pipe: not its handlers, whose descriptors mean
 * something else here, not its connections, which would stay open after it. */
static int
leave_parent(int fd)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(
		PR_SET_DUMPABLE, 0); /* a crash here is an answer, not a core file */
	(void)alarm(HWTREE_SECONDS_MAX);
	sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(1);
	(void)close_range(STDERR_FILENO, ~0u, 0);
	(void)open("/dev/null", O_WRONLY | O_CLOEXEC); /* as stderr */
	return STDIN_FILENO;
}

static void __attribute__((noreturn)) child(const struct job *job, int fd)
{
	struct topo_facts f = {0};
	struct answer a = {0};

	fd = leave_parent(fd);
	a.r = job->xml != NULL ? hwscan_parse_xml(job->xml, job->name, &f, &a.e)
			       : hwscan_read(job->root, &f, &a.e);
	a.n_cpus = f.n_cpus;
	a.n_nodes = f.n_nodes;
	a.has_distances = f.distances != NULL;
	write_all(fd, &a, sizeof(a));
	write_all(fd, f.cpus, f.n_cpus * sizeof(*f.cpus));
	write_all(fd, f.nodes, f.n_nodes * sizeof(*f.nodes));
	if (a.has_distances)
		write_all(fd, f.distances,
			(size_t)f.n_nodes * f.n_nodes * sizeof(*f.distances));
	_exit(0);
}

static int
read_arrays(int fd, const struct answer *a, struct topo_facts *f)
{
	size_t n = a->n_nodes;
	int r;

	if (a->r > 0 || a->n_cpus > CPUSET_CAP || n > TOPO_NODE_ID_CAP)
		return -ERANGE;
	f->n_cpus = a->n_cpus;
	f->cpus = xcalloc(f->n_cpus, sizeof(*f->cpus));
	f->n_nodes = a->n_nodes;
	f->nodes = xcalloc(n, sizeof(*f->nodes));
	r = read_all(fd, f->cpus, f->n_cpus * sizeof(*f->cpus));
	if (r == 0)
		r = read_all(fd, f->nodes, n * sizeof(*f->nodes));
	if (r < 0 || a->has_distances == 0)
		return r;
	f->distances = xcalloc(n * n, sizeof(*f->distances));
	return read_all(fd, f->distances, n * n * sizeof(*f->distances));
}

/* Why there is no whole answer. */
static int
explain(int status, const char *name, struct err *e)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return err_set(e, -ETIME, name, 0, "hwloc needs more than %u seconds",
			HWTREE_SECONDS_MAX);
	if (WIFSIGNALED(status))
		return err_set(e, -EINVAL, name, 0, "hwloc crashes on it (signal %d)",
			WTERMSIG(status));
	return err_set(e, -EINVAL, name, 0, "hwloc ends without an answer");
}

static int
receive(int fd, pid_t pid, const char *name, struct topo_facts *out, struct err *e)
{
	struct topo_facts f = {0};
	struct answer a;
	int status = 0;
	int r = read_all(fd, &a, sizeof(a));

	if (r == 0)
		r = read_arrays(fd, &a, &f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (r == 0 && a.r == 0) {
		*out = f;
		return 0;
	}
	topo_facts_fini(&f);
	if (r < 0)
		return explain(status, name, e);
	if (e != NULL && !err_is_set(e))
		*e = a.e;
	return a.r;
}

static int
run(const struct job *job, struct topo_facts *out, struct err *e)
{
	auto_close int from = -1;
	auto_close int to = -1;
	sigset_t all;
	sigset_t before;
	int fds[2];
	pid_t pid;
	int error;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, job->name, 0, "no pipe: %s", strerror(errno));
	from = fds[0];
	to = fds[1];
	/* no handler of ours may run in the child */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid == 0)
		child(job, to);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set(
			e, -error, job->name, 0, "no process: %s", strerror(error));
	(void)close(take_fd(&to));
	return receive(from, pid, job->name, out, e);
}

int
hwtree_read(const char *root, struct topo_facts *out, struct err *e)
{
	const struct job job = {root, NULL, root != NULL ? root : "this machine"};

	return run(&job, out, e);
}

int
hwtree_parse_xml(
	const char *text, const char *name, struct topo_facts *out, struct err *e)
{
	const struct job job = {NULL, text, name};

	return run(&job, out, e);
}
