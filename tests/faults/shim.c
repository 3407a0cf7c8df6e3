// SPDX-License-Identifier: MIT
/*
 * Preloaded into qmpind: notes from where it calls libc, and lets calls fail as the
 * rule in the file $QMPIN_FAULTS says, which a test changes while the daemon runs.
 * Other programs are left alone. A close() that fails closes, as Linux does; all else
 * that fails has done nothing.
 */
#include "config.h"

#include "shim.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Frames of the shim and of libraries before the program's own. */
#define DEPTH 16

static struct {
	struct shim_page *page; /* NULL: not our program */
	uintptr_t begin, end;	/* of the program in memory */
	pid_t pid;
} shim;

/* In the shim's own calls nothing is looked at. */
static __thread bool inside;

static int
on_object(struct dl_phdr_info *info, size_t size, void *owner)
{
	(void)size;
	(void)owner;
	shim.begin = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD)
			shim.end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	return 1; /* the program is the first */
}

__attribute__((constructor)) static void
shim_start(void)
{
	const char *path = getenv("QMPIN_FAULTS");
	void *warm_up[1];
	void *p;
	int fd;

	if (path == NULL || strcmp(program_invocation_short_name, "qmpind") != 0)
		return;
	(void)backtrace(warm_up, 1); /* loads the unwinder */
	(void)dl_iterate_phdr(on_object, NULL);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*shim.page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		return;
	shim.pid = getpid();
	shim.page = p;
	shim.page->main_pid = (uint32_t)shim.pid;
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
	return h ^ h >> 29;
}

static void
place_of_call(struct shim_site *out)
{
	void *frames[DEPTH];
	int n = backtrace(frames, DEPTH);
	unsigned int own = 0;

	for (int i = 0; i < n && own < SHIM_FRAMES; i++) {
		uintptr_t at = (uintptr_t)frames[i];

		if (at >= shim.begin && at < shim.end)
			out->frames[own++] = at - shim.begin;
	}
}

static bool
in_program(const void *address)
{
	return (uintptr_t)address >= shim.begin && (uintptr_t)address < shim.end;
}

static uint64_t
site_note(const char *name, const void *caller)
{
	struct shim_site s = {.role = getpid() == shim.pid ? SHIM_MAIN : SHIM_CHILD,
		.foreign = !in_program(caller)};
	struct shim_page *page = shim.page;

	strncpy(s.name, name, sizeof(s.name) - 1);
	place_of_call(&s);
	s.key = mix(s.role + 1, s.foreign);
	for (const char *c = name; *c != '\0'; c++)
		s.key = mix(s.key, (uint64_t)*c);
	for (unsigned int i = 0; i < SHIM_FRAMES; i++)
		s.key = mix(s.key, s.frames[i]);
	s.key |= 1;
	for (uint64_t i = 0; i < SHIM_SITES; i++) {
		struct shim_site *at = &page->sites[(s.key + i) % SHIM_SITES];
		uint64_t none = 0;

		if (__atomic_compare_exchange_n(&at->key, &none, s.key, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			memcpy(at->frames, s.frames, sizeof(s.frames));
			memcpy(at->name, s.name, sizeof(s.name));
			at->role = s.role;
			at->foreign = s.foreign;
		} else if (none != s.key) {
			continue;
		}
		(void)__atomic_add_fetch(&at->calls, 1, __ATOMIC_RELAXED);
		return s.key;
	}
	(void)__atomic_add_fetch(&page->full, 1, __ATOMIC_RELAXED);
	return s.key;
}

static bool
rule_meets(struct shim_rule *r, const char *name, uint64_t key)
{
	uint32_t role = getpid() == shim.pid ? SHIM_MAIN : SHIM_CHILD;
	uint32_t n;

	if (r->key != 0 ? r->key != key
			: strncmp(r->name, name, sizeof(r->name)) != 0 ||
				  r->role != role)
		return false;
	n = __atomic_fetch_add(&r->seen, 1, __ATOMIC_RELAXED);
	if (n < r->skip || n - r->skip >= r->times)
		return false;
	if (r->pct < 100 && mix(r->seed, n) % 100 >= r->pct)
		return false;
	(void)__atomic_add_fetch(&r->hits, 1, __ATOMIC_RELAXED);
	return true;
}

/* 0 or the errno to fail with; *len is cut where that is wanted. */
static int
fault(const char *name, const void *caller, size_t *len)
{
	struct shim_rule *r;
	uint64_t key;
	int error = 0;

	if (shim.page == NULL || inside)
		return 0;
	inside = true;
	key = site_note(name, caller);
	r = &shim.page->rule;
	if (__atomic_load_n(&r->armed, __ATOMIC_ACQUIRE) && rule_meets(r, name, key)) {
		error = r->error;
		if (len != NULL && r->cut > 0 && *len > r->cut)
			*len = r->cut;
	}
	inside = false;
	return error;
}

static void *
real(void **cache, const char *name)
{
	if (*cache == NULL) {
		inside = true;
		*cache = dlsym(RTLD_NEXT, name);
		inside = false;
	}
	return *cache;
}

/* A function that can fail with errno; bad is what it returns then. */
#define WRAP_LEN(type, bad, name, params, args, len)                        \
	type name params                                                    \
	{                                                                   \
		static void *cache;                                         \
		type(*next) params = (type(*) params)real(&cache, #name);   \
		int error = fault(#name, __builtin_return_address(0), len); \
		if (error != 0) {                                           \
			errno = error;                                      \
			return bad;                                         \
		}                                                           \
		return next args;                                           \
	}
#define WRAP(name, params, args) WRAP_LEN(int, -1, name, params, args, NULL)
#define WRAP_IO(name, params, args, len) WRAP_LEN(ssize_t, -1, name, params, args, len)

WRAP(access, (const char *path, int mode), (path, mode))
WRAP(bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
WRAP(chdir, (const char *path), (path))
WRAP(connect, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
WRAP(dup, (int fd), (fd))
WRAP(dup2, (int fd, int to), (fd, to))
WRAP(epoll_create1, (int flags), (flags))
WRAP(epoll_ctl, (int fd, int op, int which, struct epoll_event *ev),
	(fd, op, which, ev))
WRAP(eventfd, (unsigned int n, int flags), (n, flags))
WRAP(execv, (const char *path, char *const argv[]), (path, argv))
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fchmodat, (int fd, const char *path, mode_t mode, int flags),
	(fd, path, mode, flags))
WRAP(fchownat, (int fd, const char *path, uid_t uid, gid_t gid, int flags),
	(fd, path, uid, gid, flags))
WRAP(flock, (int fd, int op), (fd, op))
WRAP(fstat, (int fd, struct stat *st), (fd, st))
WRAP(fstatat, (int fd, const char *path, struct stat *st, int flags),
	(fd, path, st, flags))
WRAP(getpeername, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
WRAP(getsockname, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
WRAP(getsockopt, (int fd, int level, int name, void *v, socklen_t *len),
	(fd, level, name, v, len))
WRAP(inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))
WRAP(inotify_init1, (int flags), (flags))
WRAP(inotify_rm_watch, (int fd, int wd), (fd, wd))
WRAP(listen, (int fd, int backlog), (fd, backlog))
WRAP(lstat, (const char *path, struct stat *st), (path, st))
WRAP(mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(pipe2, (int fds[2], int flags), (fds, flags))
WRAP(renameat, (int from, const char *old, int to, const char *new),
	(from, old, to, new))
WRAP(setsockopt, (int fd, int level, int name, const void *v, socklen_t len),
	(fd, level, name, v, len))
WRAP(setpgid, (pid_t pid, pid_t group), (pid, group))
WRAP(shutdown, (int fd, int how), (fd, how))
WRAP(socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(socketpair, (int domain, int type, int protocol, int fds[2]),
	(domain, type, protocol, fds))
WRAP(stat, (const char *path, struct stat *st), (path, st))
WRAP(statfs, (const char *path, struct statfs *st), (path, st))
WRAP(statx, (int fd, const char *path, int flags, unsigned int mask, struct statx *st),
	(fd, path, flags, mask, st))
WRAP(timerfd_create, (clockid_t clock, int flags), (clock, flags))
WRAP(timerfd_settime,
	(int fd, int flags, const struct itimerspec *new, struct itimerspec *old),
	(fd, flags, new, old))
WRAP(unlink, (const char *path), (path))
WRAP(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
	(type, id, info, options))
WRAP_LEN(pid_t, -1, fork, (void), (), NULL)
WRAP_LEN(pid_t, -1, setsid, (void), (), NULL)
WRAP_LEN(pid_t, -1, waitpid, (pid_t pid, int *status, int options),
	(pid, status, options), NULL)
WRAP_LEN(DIR *, NULL, fdopendir, (int fd), (fd), NULL)
WRAP_LEN(DIR *, NULL, opendir, (const char *path), (path), NULL)
WRAP_LEN(struct dirent *, NULL, readdir, (DIR * dir), (dir), NULL)
WRAP_LEN(char *, NULL, realpath, (const char *path, char *out), (path, out), NULL)
WRAP_IO(getdents64, (int fd, void *buf, size_t len), (fd, buf, len), NULL)
WRAP_IO(read, (int fd, void *buf, size_t len), (fd, buf, len), &len)
WRAP_IO(readlinkat, (int fd, const char *path, char *buf, size_t len),
	(fd, path, buf, len), NULL)
WRAP_IO(readv, (int fd, const struct iovec *iov, int n), (fd, iov, n), NULL)
WRAP_IO(recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags), &len)
WRAP_IO(recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), NULL)
WRAP_IO(send, (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags),
	&len)
WRAP_IO(sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), NULL)
WRAP_IO(write, (int fd, const void *buf, size_t len), (fd, buf, len), &len)
WRAP_IO(writev, (int fd, const struct iovec *iov, int n), (fd, iov, n), NULL)

WRAP(accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags),
	(fd, a, len, flags))
WRAP_IO(recvfrom,
	(int fd, void *buf, size_t len, int flags, struct sockaddr *a, socklen_t *alen),
	(fd, buf, len, flags, a, alen), &len)
WRAP_IO(sendto,
	(int fd, const void *buf, size_t len, int flags, const struct sockaddr *a,
		socklen_t alen),
	(fd, buf, len, flags, a, alen), &len)

int
close(int fd)
{
	int error = fault("close", __builtin_return_address(0), NULL);
	int r = (int)syscall(SYS_close, fd);

	if (error == 0)
		return r;
	errno = error;
	return -1;
}

/* These would spin if they always failed at once: as the kernel, they wait before. */
int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms)
{
	static void *cache;
	int (*next)(int, struct epoll_event *, int, int) = (int (*)(
		int, struct epoll_event *, int, int))real(&cache, "epoll_wait");
	static void *poll_cache;
	int (*wait)(struct pollfd *, nfds_t, int) =
		(int (*)(struct pollfd *, nfds_t, int))real(&poll_cache, "poll");
	int error = fault("epoll_wait", __builtin_return_address(0), NULL);
	struct pollfd any = {.fd = fd, .events = POLLIN};

	if (error == 0)
		return next(fd, events, n, timeout_ms);
	/* who is interrupted takes no event: one that is told once would be lost */
	(void)wait(&any, 1, timeout_ms >= 0 && timeout_ms < 10 ? timeout_ms : 10);
	errno = error;
	return -1;
}

int
poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	static void *cache;
	int (*next)(struct pollfd *, nfds_t, int) =
		(int (*)(struct pollfd *, nfds_t, int))real(&cache, "poll");
	int error = fault("poll", __builtin_return_address(0), NULL);

	if (error == 0)
		return next(fds, n, timeout_ms);
	(void)next(fds, n, timeout_ms >= 0 && timeout_ms < 10 ? timeout_ms : 10);
	errno = error;
	return -1;
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	static void *cache;
	int (*next)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))real(&cache, "clock_gettime");
	int r = next(clock, t);

	if (r == 0 && clock == CLOCK_REALTIME && shim.page != NULL) {
		int64_t ns = t->tv_nsec + shim.page->realtime_ns;

		t->tv_sec += ns / 1000000000 - (ns % 1000000000 < 0);
		t->tv_nsec = (ns % 1000000000 + 1000000000) % 1000000000;
	}
	return r;
}

/* With a variable list of arguments: the kernel takes at most six words. */
#define WORDS(last, n)                         \
	long w[6] = {0};                       \
	va_list ap;                            \
	va_start(ap, last);                    \
	for (unsigned int i = 0; i < (n); i++) \
		w[i] = va_arg(ap, long);       \
	va_end(ap)

#define WRAP_VA(type, name, params, last, n, call)                           \
	type name params                                                     \
	{                                                                    \
		int error = fault(#name, __builtin_return_address(0), NULL); \
		WORDS(last, n);                                              \
		if (error != 0) {                                            \
			errno = error;                                       \
			return -1;                                           \
		}                                                            \
		return (type)call;                                           \
	}

WRAP_VA(int, open, (const char *path, int flags, ...), flags, 1,
	syscall(SYS_openat, AT_FDCWD, path, flags, w[0]))
WRAP_VA(int, openat, (int fd, const char *path, int flags, ...), flags, 1,
	syscall(SYS_openat, fd, path, flags, w[0]))
WRAP_VA(int, fcntl, (int fd, int op, ...), op, 1, syscall(SYS_fcntl, fd, op, w[0]))
WRAP_VA(int, ioctl, (int fd, unsigned long op, ...), op, 1,
	syscall(SYS_ioctl, fd, op, w[0]))

static const char *
name_of(long number)
{
	switch (number) {
	case SYS_sched_setaffinity:
		return "sched_setaffinity";
	case SYS_sched_getaffinity:
		return "sched_getaffinity";
	case SYS_pidfd_open:
		return "pidfd_open";
	case SYS_pidfd_getfd:
		return "pidfd_getfd";
	case SYS_pidfd_send_signal:
		return "pidfd_send_signal";
	default:
		return "syscall";
	}
}

long
syscall(long number, ...)
{
	static void *cache;
	long (*next)(long, ...) = (long (*)(long, ...))real(&cache, "syscall");
	const void *caller = __builtin_return_address(0);
	int error = in_program(caller) ? fault(name_of(number), caller, NULL) : 0;
	WORDS(number, 6);

	if (error != 0) {
		errno = error;
		return -1;
	}
	return next(number, w[0], w[1], w[2], w[3], w[4], w[5]);
}
