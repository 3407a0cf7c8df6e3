// SPDX-License-Identifier: MIT
/* NUMA nodes of passed-through devices, by configuration and by command line. */
#include "config.h"

#include "daemon/passed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
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

/* What was read before an error counts, but for the last word, which may be cut. */
static size_t
length_of(const char *words)
{
	size_t len = WORDS_MAX;

	while (len > 0 && words[len - 1] == '\0')
		len--;
	return len;
}

struct cpuset
passed_by_process(const char *root, int procfd, pid_t pid)
{
	struct search s = {.root = root};
	auto_free char *words = NULL;
	auto_close int fd = -1;
	char name[32];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "%d/cmdline", (int)pid);
	fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return s.nodes;
	words = xcalloc(1, WORDS_MAX);
	n = io_read_all(fd, words, WORDS_MAX);
	vfio_each(words, n < 0 ? length_of(words) : (size_t)n, add_device, &s);
	return s.nodes;
}
