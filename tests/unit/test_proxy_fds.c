// SPDX-License-Identifier: MIT
/* Descriptors through the proxy into a real QEMU: each arrives where it should. */
#include "config.h"

#include "qmp/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "proxy_qemu.h"

/* A descriptor whose file can be told from others. */
static int
marked(const struct proxy_qemu *f, const char *mark, struct stat *st)
{
	int fd;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->folder, mark);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	(void)unlink(path);
	assert_true(fd >= 0 && fstat(fd, st) == 0);
	return fd;
}

/* Does QEMU have that file open under @number? */
static bool
qemu_has(const struct proxy_qemu *f, long number, const struct stat *wanted)
{
	struct stat st;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%ld", (int)f->qemu, number);
	return stat(path, &st) == 0 && st.st_ino == wanted->st_ino &&
	       st.st_dev == wanted->st_dev;
}

static unsigned int
qemu_copies(const struct proxy_qemu *f, const struct stat *wanted)
{
	unsigned int n = 0;

	for (long i = 0; i < 256; i++)
		n += qemu_has(f, i, wanted);
	return n;
}

#define GETFD "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"%s\"},\"id\":1}"
#define DONE "{\"return\": {}, \"id\": 1}\r\n"
#define NO_FD                                                             \
	"{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": " \
	"\"No file descriptor supplied via SCM_RIGHTS\"}}\r\n"

static void
closefd(const struct proxy_qemu *f, int fd, const char *name, const struct stat *st)
{
	auto_free char *text = xasprintf("{\"execute\":\"closefd\",\"arguments\":{"
					 "\"fdname\":\"%s\"},\"id\":1}",
		name);

	assert_int_equal(qemu_copies(f, st), 1);
	proxy_qemu_expect(fd, text, DONE);
	assert_int_equal(qemu_copies(f, st), 0);
}

static void
descriptors_arrive_before_with_and_after_their_command(void **state)
{
	static const char *const orders[] = {"before", "with", "inside", "after"};
	struct proxy_qemu *f = *state;
	struct strbuf line = {0};
	int fd = host_open(f->path);

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		auto_free char *text = xasprintf(GETFD, orders[i]);
		struct stat st;
		int pass = marked(f, orders[i], &st);

		if (i == 0)
			host_say(fd, " ", pass);
		if (i == 2) {
			host_say(fd, "{\"execute\":", -1);
			host_say(fd, text + strlen("{\"execute\":"), pass);
		} else {
			host_say(fd, text, i == 1 ? pass : -1);
		}
		if (i == 3)
			host_say(fd, "\n", pass);
		assert_true(host_hear(fd, &line));
		if (strcmp(line.s, DONE) != 0)
			fail_msg("%s: %s", orders[i], line.s);
		close(pass);
		closefd(f, fd, orders[i], &st);
	}
	proxy_qemu_expect(fd,
		"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"},\"id\":1}",
		NO_FD);
	close(fd);
	strbuf_fini(&line);
}

static void
a_command_that_failed_leaves_no_descriptor_to_the_next_client(void **state)
{
	struct proxy_qemu *f = *state;
	struct strbuf line = {0};
	struct stat st;
	int pass = marked(f, "stray", &st);
	int a = host_open(f->path);
	int b = host_open(f->path);

	host_say(a, "{\"execute\":\"getfd\",\"id\":2}", pass);
	assert_true(host_hear(a, &line));
	assert_non_null(strstr(line.s, "Parameter 'fdname' is missing"));
	proxy_qemu_expect(b,
		"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"b\"},\"id\":1}",
		NO_FD);
	close(pass);
	close(a);
	close(b);
	strbuf_fini(&line);
}

struct passer {
	pthread_t thread;
	const struct proxy_qemu *f;
	int number;
	unsigned int good;
};

/* The set of descriptors says whose file each is. */
static void *
run_passer(void *arg)
{
	struct passer *p = arg;
	auto_free char *mark = xasprintf("p%d", p->number);
	auto_free char *text = xasprintf(
		"{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":%d}}", p->number);
	int fd = host_open(p->f->path);
	struct strbuf line = {0};
	struct stat st;
	int pass = marked(p->f, mark, &st);

	for (int i = 0; i < 40; i++) {
		long number = -1;

		if (i % 3 == 0)
			host_say(fd, "\n", pass);
		host_say(fd, text, i % 3 == 1 ? pass : -1);
		if (i % 3 == 2)
			host_say(fd, " ", pass);
		if (host_hear(fd, &line) &&
			sscanf(line.s, "{\"return\": {\"fd\": %ld", &number) == 1)
			p->good += qemu_has(p->f, number, &st);
	}
	close(pass);
	close(fd);
	strbuf_fini(&line);
	return NULL;
}

static void
two_who_pass_descriptors_at_once_get_their_own(void **state)
{
	struct proxy_qemu *f = *state;
	struct passer passers[2];
	unsigned int before = proxy_host_fds(&f->host);

	for (int i = 0; i < 2; i++) {
		passers[i] = (struct passer){.f = f, .number = i};
		pthread_create(&passers[i].thread, NULL, run_passer, &passers[i]);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(passers[i].thread, NULL);
		assert_int_equal(passers[i].good, 40);
	}
	proxy_qemu_command(f->path, 1);
	proxy_qemu_command(f->path, 2);
	for (int i = 0; i < 30000 && proxy_host_fds(&f->host) > before + 1; i++)
		usleep(1000);
	assert_in_range(proxy_host_fds(&f->host), 0, before + 1);
}

#define shared(name)                     \
	cmocka_unit_test_setup_teardown( \
		name, proxy_qemu_setup_shared, proxy_qemu_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		shared(descriptors_arrive_before_with_and_after_their_command),
		shared(a_command_that_failed_leaves_no_descriptor_to_the_next_client),
		shared(two_who_pass_descriptors_at_once_get_their_own),
	};

	if (!proxy_qemu_is_installed()) {
		printf("skipped: no QEMU is installed\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
