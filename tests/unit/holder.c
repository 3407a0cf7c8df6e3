// SPDX-License-Identifier: MIT
/* A process that has sockets; see the header. */
#include "config.h"

#include "holder.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void
play(holder_part *part, int control, const char *folder)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	part(control, folder);
	for (;;)
		holder_pause(control, 0);
}

static void
hear(struct holder *h)
{
	if (read(h->control, &h->said, sizeof(h->said)) != (ssize_t)sizeof(h->said))
		errx(99, "the holder has ended");
}

struct holder
holder_start(holder_part *part, const char *folder)
{
	struct holder h = {0};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(99, "socketpair");
	h.process.pid = fork();
	if (h.process.pid == 0) {
		close(ends[0]);
		play(part, ends[1], folder);
	}
	close(ends[1]);
	h.control = ends[0];
	h.process.procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h.process.pidfd = (int)syscall(SYS_pidfd_open, h.process.pid, 0);
	if (h.process.procfd < 0 || h.process.pidfd < 0)
		err(99, "pidfd");
	hear(&h);
	return h;
}

void
holder_pause(int control, uint64_t number)
{
	if (write(control, &number, sizeof(number)) != (ssize_t)sizeof(number) ||
		read(control, &number, sizeof(number)) <= 0)
		_exit(1);
}

void
holder_step(struct holder *h)
{
	if (write(h->control, "", 1) != 1)
		err(99, "holder");
	hear(h);
}

void
holder_kill(struct holder *h)
{
	siginfo_t info;

	kill(h->process.pid, SIGKILL);
	if (waitid(P_PID, (id_t)h->process.pid, &info, WEXITED | WNOWAIT) < 0)
		err(99, "waitid");
}

void
holder_stop(struct holder *h)
{
	if (h->process.pid <= 0)
		return;
	kill(h->process.pid, SIGKILL);
	(void)waitpid(h->process.pid, NULL, 0);
	close(h->process.pidfd);
	close(h->process.procfd);
	close(h->control);
	h->process.pid = 0;
}

static socklen_t
make_address(const char *name, struct sockaddr_un *address)
{
	size_t len = strnlen(name, sizeof(address->sun_path));

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, name, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int
holder_listen(const char *name)
{
	struct sockaddr_un address;
	socklen_t len = make_address(name, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) < 0 ||
		listen(fd, 1) < 0)
		err(1, "%s", name);
	return fd;
}

uint64_t
holder_inode(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		err(1, "fstat");
	return st.st_ino;
}

int
holder_connect(const char *path)
{
	struct sockaddr_un address;
	socklen_t len = make_address(path, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, len) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int
holder_try(int (*check)(void *owner), void *owner)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(check(owner));
	if (waitpid(pid, &status, 0) != pid)
		err(99, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
