// SPDX-License-Identifier: MIT
/* QEMU and a proxy on it; see the header. */
#include "config.h"

#include "proxy_qemu.h"

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

#define QEMU "qemu-system-x86_64"

static void
run_qemu(int listener)
{
	auto_free char *chardev =
		xasprintf("socket,id=m,fd=%d,server=on,wait=off", listener);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)fcntl(listener, F_SETFD, 0);
	execlp(QEMU, QEMU, "-accel", "tcg", "-display", "none", "-nodefaults",
		"-machine", "q35", "-smp", "2,maxcpus=4", "-m", "32", "-S", "-name",
		"vm103", "-chardev", chardev, "-mon", "chardev=m,mode=control",
		(char *)NULL);
	_exit(127);
}

void
proxy_qemu_share(struct proxy_qemu *f)
{
	proxy_host_start(&f->host, host_connect(f->path), f->listener, 0, 0);
	proxy_host_until(&f->host, "up\n");
}

int
proxy_qemu_setup(void **state)
{
	struct proxy_qemu *f = xcalloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/qmpin-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/103.qmp", f->folder);
	f->listener = host_listen(f->path);
	f->qemu = fork();
	assert_true(f->qemu >= 0);
	if (f->qemu == 0)
		run_qemu(f->listener);
	*state = f;
	return 0;
}

int
proxy_qemu_setup_shared(void **state)
{
	proxy_qemu_setup(state);
	proxy_qemu_share(*state);
	return 0;
}

int
proxy_qemu_teardown(void **state)
{
	struct proxy_qemu *f = *state;

	proxy_host_stop(&f->host);
	if (f->qemu > 0) {
		kill(f->qemu, SIGKILL);
		waitpid(f->qemu, NULL, 0);
	}
	close(f->listener);
	(void)unlink(f->path);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

void
proxy_qemu_expect(int fd, const char *command, const char *reply)
{
	struct strbuf heard = {0};

	host_ask(fd, command, &heard);
	if (strcmp(heard.s, reply) != 0)
		fail_msg("%s: %s, not %s", command, heard.s, reply);
	strbuf_fini(&heard);
}

/* Proxmox's way. Fails the test if it does. */
void
proxy_qemu_command(const char *path, unsigned int n)
{
	auto_free char *text = xasprintf(
		CAPABILITIES "{\"execute\":\"query-status\",\"id\":\"%u:1\"}", n);
	auto_free char *id = xasprintf("\"id\": \"%u:1\"}\r\n", n);
	struct strbuf line = {0};
	int fd = host_connect(path);

	assert_int_equal(host_say(fd, text, -1), 0);
	host_until(fd, id, &line);
	assert_non_null(strstr(line.s, "{\"return\": {\"status\": \"prelaunch\""));
	strbuf_fini(&line);
	close(fd);
}

bool
proxy_qemu_is_installed(void)
{
	return system(QEMU " --version >/dev/null 2>&1") == 0;
}
