// SPDX-License-Identifier: MIT
/* NUMA nodes of passed-through devices, by configuration and by command line. */
#include "config.h"

#include "daemon/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "host/pcidev.h"
#include "vm/vfio.h"

/* Those of Proxmox have some 10 KiB. What is behind this is not looked at. */
#define WORDS_MAX (128u * 1024u)

struct search {
	const char *root;
	struct cpuset nodes;
};

static void
add_device(void *arg, const char *name)
{
	struct search *s = arg;

	pcidev_add_nodes(s->root, name, &s->nodes);
}

struct cpuset
passed_by_config(const char *root, const struct vmconf *conf)
{
	struct search s = {.root = root};

	for (size_t i = 0; i < conf->n_pci; i++)
		add_device(&s, conf->pci[i]);
	return s.nodes;
}

/* Up to @cap bytes; what could be read counts. */
static size_t
read_words(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

struct cpuset
passed_by_process(const char *root, int procfd, pid_t pid)
{
	struct search s = {.root = root};
	auto_free char *words = NULL;
	auto_close int fd = -1;
	char name[32];

	(void)snprintf(name, sizeof(name), "%d/cmdline", (int)pid);
	fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return s.nodes;
	words = xcalloc(1, WORDS_MAX);
	vfio_each(words, read_words(fd, words, WORDS_MAX), add_device, &s);
	return s.nodes;
}
