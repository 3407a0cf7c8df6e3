// SPDX-License-Identifier: MIT
/* Facts for `qmpin doctor`. Every file is small, regular and capped. */
#include "config.h"

#include "host/hostfacts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pidfd.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "host/cgroup.h"
#include "host/cpuident.h"
#include "host/sysfs.h"
#include "host/textfile.h"
#include "host/virt.h"

#define FILE_BYTES_MAX 4096u
#define SLICE "/qemu.slice"

/* comm has at most 15 characters. */
static const struct {
	const char *comm;
	enum hostfacts_program program;
} known_programs[] = {
	{"numad", HOSTFACTS_NUMAD},
	{"irqbalance", HOSTFACTS_IRQBALANCE},
	{"tuned", HOSTFACTS_TUNED},
	{"libvirtd", HOSTFACTS_LIBVIRT},
	{"virtqemud", HOSTFACTS_LIBVIRT},
};

static void
read_word(const char *root, const char *name, char out[HOSTFACTS_TEXT_MAX])
{
	auto_free char *text = textfile_below(root, name, FILE_BYTES_MAX);

	out[0] = '\0';
	if (text != NULL)
		str_escape(text, strlen(text), out, HOSTFACTS_TEXT_MAX);
}

/* Of this machine only. */
static void
ask_kernel(struct hostfacts *f)
{
	struct utsname name;
	int fd = pidfd_of(getpid());

	if (uname(&name) == 0)
		str_escape(name.release, strlen(name.release), f->kernel,
			sizeof(f->kernel));
	f->pidfd = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
	/* with arguments that do nothing: -EBADF where there is such a call */
	(void)syscall(SYS_pidfd_getfd, -1, -1, 0);
	f->pidfd_getfd = errno != ENOSYS;
}

/* A kernel that does not count writes zeros. */
static enum hostfacts_answer
read_schedstat(const char *root)
{
	auto_free char *text =
		textfile_below(root, "proc/self/schedstat", FILE_BYTES_MAX);

	if (text == NULL)
		return HOSTFACTS_UNKNOWN;
	return strcmp(text, "0 0 0") == 0 ? HOSTFACTS_NO : HOSTFACTS_YES;
}

static void
read_cgroups(const char *root, struct hostfacts *f)
{
	auto_close int fd = cgroup_open(root, NULL);

	f->has_slice = false;
	f->unified = fd >= 0	      ? HOSTFACTS_YES
		     : fd == -ENODATA ? HOSTFACTS_NO
				      : HOSTFACTS_UNKNOWN;
	if (fd >= 0)
		f->has_slice = cgroup_cpus(fd, SLICE, &f->slice) == 0;
}

void
hostfacts_read(const char *root, struct hostfacts *f)
{
	f->kernel[0] = '\0';
	f->pidfd = f->pidfd_getfd = false;
	if (root[0] == '\0')
		ask_kernel(f);
	read_word(root, "proc/sys/kernel/numa_balancing", f->numa_balancing);
	read_word(root,
		"sys/devices/system/clocksource/clocksource0/current_clocksource",
		f->clocksource);
	read_word(root, "sys/devices/system/cpu/smt/control", f->smt);
	f->schedstat = read_schedstat(root);
	read_cgroups(root, f);
}

void
hostfacts_read_topology(const char *root, struct hostfacts *f)
{
	struct sysfs_facts sysfs;
	struct cpuident id;

	f->has_topology = sysfs_read(root, &sysfs, NULL) == 0;
	if (!f->has_topology)
		return;
	f->online = sysfs.online;
	f->isolated = sysfs.isolated;
	f->n_nodes = sysfs.n_nodes;
	sysfs_fini(&sysfs);
	cpuident_read(root, &id);
	f->virtual = virt_detect(root, &id);
}

static void
note_program(struct hostfacts *f, const char *comm)
{
	for (size_t i = 0; i < ARRAY_LEN(known_programs); i++) {
		if (strcmp(comm, known_programs[i].comm) == 0)
			f->programs[known_programs[i].program] = HOSTFACTS_YES;
	}
}

void
hostfacts_read_programs(const char *root, struct hostfacts *f)
{
	auto_free char *proc = xasprintf("%s/proc", root);
	DIR *dir = opendir(proc);
	const struct dirent *entry;

	if (dir == NULL)
		return;
	for (size_t i = 0; i < HOSTFACTS_N_PROGRAMS; i++)
		f->programs[i] = HOSTFACTS_NO;
	while ((entry = readdir(dir)) != NULL) {
		auto_free char *name = NULL;
		auto_free char *comm = NULL;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		name = xasprintf("%s/comm", entry->d_name);
		if (textfile_read_at(dirfd(dir), name, FILE_BYTES_MAX, &comm, NULL) ==
			0)
			note_program(f, comm);
	}
	(void)closedir(dir);
}
