// SPDX-License-Identifier: MIT
/* The kernel's protocol (linux/fuse.h), as much of it as reading needs. */
#include "config.h"

#include "pvefuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

#define REQUEST_BYTES 65536u
#define WAITING_MAX 64

/* Node 1 is the root; the index of the others is their number. */
static const struct {
	uint64_t parent;
	const char *name;
	const char *text; /* NULL: a directory */
} nodes[] = {
	[1] = {0, "", NULL},
	[2] = {1, "qemu-server", NULL},
	[3] = {1, ".version", "{\"starttime\": 1, \"clinfo\": 1, \"vmlist\": 1}\n"},
	[4] = {1, ".vmlist",
		"{\"version\": 1, \"ids\": {\"100\": {\"node\": \"one\", "
		"\"type\": \"qemu\", \"version\": 1}}}\n"},
	[5] = {1, "qmpin.conf", "[qmpin]\n"},
	[6] = {2, "100.conf", "cores: 2\n"},
};

struct server {
	int fd;
	bool hangs;
	unsigned int n_waiting;
	char *waiting[WAITING_MAX];
};

static void
answer(const struct server *s, uint64_t unique, int error, const void *bytes,
	size_t len)
{
	struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len),
		.error = error,
		.unique = unique};
	struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)bytes, len}};

	/* who asked may be gone: that is no error of ours */
	(void)!writev(s->fd, parts, len > 0 ? 2 : 1);
}

static struct fuse_attr
attributes(uint64_t node)
{
	const char *text = nodes[node].text;

	return (struct fuse_attr){.ino = node,
		.size = text != NULL ? strlen(text) : 0,
		.mode = text != NULL ? S_IFREG | 0640 : S_IFDIR | 0755,
		.nlink = 1};
}

static void
look_up(const struct server *s, const struct fuse_in_header *in, const char *name)
{
	for (uint64_t i = 1; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct fuse_entry_out out = {.nodeid = i};

		if (nodes[i].parent != in->nodeid || strcmp(nodes[i].name, name) != 0)
			continue;
		out.attr = attributes(i);
		answer(s, in->unique, 0, &out, sizeof(out));
		return;
	}
	answer(s, in->unique, -ENOENT, NULL, 0);
}

static void
read_text(const struct server *s, const struct fuse_in_header *in,
	const struct fuse_read_in *what)
{
	const char *text = nodes[in->nodeid].text;
	size_t size = text != NULL ? strlen(text) : 0;
	size_t at = what->offset < size ? (size_t)what->offset : size;
	size_t n = size - at < what->size ? size - at : what->size;

	answer(s, in->unique, 0, text != NULL ? text + at : "", n);
}

static void
serve(const struct server *s, const char *request)
{
	const struct fuse_in_header *in = (const void *)request;
	const void *body = request + sizeof(*in);
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 65536,
		.max_write = 4096};
	struct fuse_attr_out attr = {.attr_valid = 0};
	struct fuse_open_out open_out = {.open_flags = FOPEN_DIRECT_IO};

	switch (in->opcode) {
	case FUSE_INIT:
		answer(s, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		look_up(s, in, body);
		break;
	case FUSE_GETATTR:
		attr.attr = attributes(in->nodeid);
		answer(s, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(s, in->unique, 0, &open_out, sizeof(open_out));
		break;
	case FUSE_READ:
		read_text(s, in, body);
		break;
	case FUSE_RELEASE:
		answer(s, in->unique, 0, NULL, 0);
		break;
	default:
		answer(s, in->unique, -ENOSYS, NULL, 0);
	}
}

static bool
wants_an_answer(const char *request)
{
	uint32_t opcode =
		((const struct fuse_in_header *)(const void *)request)->opcode;

	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
	       opcode != FUSE_INTERRUPT;
}

static void
take_request(struct server *s)
{
	auto_free char *request = xcalloc(1, REQUEST_BYTES);
	ssize_t n = read(s->fd, request, REQUEST_BYTES);

	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
		return;
	if (n <= 0)
		_exit(0); /* it was unmounted */
	if (!wants_an_answer(request))
		return;
	if (s->hangs && s->n_waiting < WAITING_MAX)
		s->waiting[s->n_waiting++] = take_ptr(&request);
	else
		serve(s, request);
}

static void
take_order(struct server *s, int orders, int receipts)
{
	char order;
	unsigned int n = 0;

	if (read(orders, &order, 1) != 1)
		_exit(0);
	n = s->n_waiting;
	if (order == 'h')
		s->hangs = true;
	if (order == 'r') {
		s->hangs = false;
		for (unsigned int i = 0; i < s->n_waiting; i++) {
			serve(s, s->waiting[i]);
			free(s->waiting[i]);
		}
		s->n_waiting = 0;
	}
	if (write(receipts, &n, sizeof(n)) != (ssize_t)sizeof(n))
		_exit(1);
}

static void __attribute__((noreturn)) be_server(int fd, int orders, int receipts)
{
	struct server s = {.fd = fd};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct pollfd p[] = {
			{.fd = fd, .events = POLLIN}, {.fd = orders, .events = POLLIN}};

		(void)poll(p, 2, -1);
		if (p[1].revents != 0)
			take_order(&s, orders, receipts);
		if (p[0].revents != 0)
			take_request(&s);
	}
}

bool
pvefuse_start(struct pvefuse *f, const char *path)
{
	auto_close int fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	char options[128];
	int orders[2];
	int receipts[2];

	(void)snprintf(options, sizeof(options),
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
		fd);
	/* it goes with this process */
	if (fd < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("pvefuse", path, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return false;
	if (pipe2(orders, O_CLOEXEC) < 0 || pipe2(receipts, O_CLOEXEC) < 0)
		abort();
	f->server = fork();
	if (f->server == 0) {
		(void)close(orders[1]);
		be_server(fd, orders[0], receipts[1]);
	}
	if (f->server < 0)
		abort();
	(void)close(orders[0]);
	(void)close(receipts[1]);
	f->orders = orders[1];
	f->receipts = receipts[0];
	return true;
}

static unsigned int
order(const struct pvefuse *f, char what)
{
	unsigned int n = 0;

	if (write(f->orders, &what, 1) != 1 ||
		read(f->receipts, &n, sizeof(n)) != (ssize_t)sizeof(n))
		abort();
	return n;
}

void
pvefuse_hang(const struct pvefuse *f)
{
	(void)order(f, 'h');
}

void
pvefuse_recover(const struct pvefuse *f)
{
	(void)order(f, 'r');
}

unsigned int
pvefuse_waiting(const struct pvefuse *f)
{
	return order(f, '?');
}

void
pvefuse_stop(struct pvefuse *f)
{
	if (f->server <= 0)
		return;
	(void)kill(f->server, SIGKILL);
	(void)waitpid(f->server, NULL, 0);
	(void)close(f->orders);
	(void)close(f->receipts);
	*f = (struct pvefuse){0};
}
