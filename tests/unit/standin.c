// SPDX-License-Identifier: MIT
/*
 * A process that stands in for QEMU. The test talks to it by packets, each answered by
 * one number; anything unexpected ends the test program.
 */
#include "config.h"

#include "standin.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp_server.h"

#define CLIENTS_MAX 4
#define PACKET_MAX 1024

/* A thread of the child; it sleeps until a byte comes. */
struct sleeper {
	char name[16];
	pthread_t thread;
	pid_t tid;
	int wake[2];
	int started;
};

/* The child. */
struct play {
	int control;
	int listener; /* -1: not yet */
	int clients[CLIENTS_MAX];
	char cpus[PACKET_MAX]; /* answer to query-cpus-fast */
	int n_asked;	       /* so often that was asked */
	struct sleeper sleepers[STANDIN_THREADS_MAX];
	size_t n_sleepers;
};

/* Use all of a CPU until the next byte. */
static void
run_busy(int wake)
{
	struct pollfd next = {.fd = wake, .events = POLLIN};

	while (poll(&next, 1, 0) == 0) {
		for (volatile unsigned int i = 0; i < 1000000; i++)
			continue;
	}
}

static void *
run_sleeper(void *arg)
{
	struct sleeper *s = arg;
	char byte = '\0';

	s->tid = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, s->name);
	if (write(s->started, "", 1) != 1)
		_exit(1);
	do {
		if (byte == 'b')
			run_busy(s->wake[0]);
	} while (read(s->wake[0], &byte, 1) < 0 ? errno == EINTR : byte != 'e');
	return NULL;
}

static int
add_thread(struct play *p, const char *name)
{
	struct sleeper *s = &p->sleepers[p->n_sleepers];
	int started[2];
	char byte;

	if (p->n_sleepers == STANDIN_THREADS_MAX)
		_exit(1);
	p->n_sleepers++;
	str_copy(s->name, sizeof(s->name), name);
	if (pipe2(s->wake, O_CLOEXEC) < 0 || pipe2(started, O_CLOEXEC) < 0)
		_exit(1);
	s->started = started[1];
	if (pthread_create(&s->thread, NULL, run_sleeper, s) != 0 ||
		read(started[0], &byte, 1) != 1)
		_exit(1);
	close(started[0]);
	close(started[1]);
	return s->tid;
}

static int
end_thread(struct play *p, pid_t tid)
{
	for (size_t i = 0; i < p->n_sleepers; i++) {
		struct sleeper *s = &p->sleepers[i];

		if (s->tid != tid)
			continue;
		if (write(s->wake[1], "e", 1) != 1)
			_exit(1);
		(void)pthread_join(s->thread, NULL);
		close(s->wake[0]);
		close(s->wake[1]);
		s->tid = 0;
	}
	return 0;
}

/* Busy from now on, or (@how "s") asleep again. */
static int
load_thread(struct play *p, pid_t tid, const char *how)
{
	for (size_t i = 0; i < p->n_sleepers; i++) {
		if (p->sleepers[i].tid == tid &&
			write(p->sleepers[i].wake[1], how, 1) != 1)
			_exit(1);
	}
	return 0;
}

/* In the child, so that the peer of a connection is the child. */
static int
listen_on(struct play *p, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(path) >= sizeof(address.sun_path))
		_exit(1);
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (bind(p->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(p->listener, CLIENTS_MAX) < 0)
		_exit(1);
	return 0;
}

static int
tell_event(struct play *p, const char *name)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		"{\"event\": \"%s\", \"data\": {}, \"timestamp\": "
		"{\"seconds\": 1, \"microseconds\": 2}}\r\n",
		name);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (p->clients[i] >= 0)
			(void)server_say(p->clients[i], text);
	}
	return 0;
}

/* Returns false when the test has gone. */
static bool
obey(struct play *p)
{
	char packet[PACKET_MAX];
	ssize_t n = recv(p->control, packet, sizeof(packet) - 1, 0);
	int answer = 0;

	if (n <= 0)
		return false;
	packet[n] = '\0';
	switch (packet[0]) {
	case 't':
		answer = add_thread(p, packet + 1);
		break;
	case 'e':
		answer = end_thread(p, (pid_t)strtol(packet + 1, NULL, 10));
		break;
	case 'b':
	case 's':
		answer = load_thread(p, (pid_t)strtol(packet + 1, NULL, 10), packet);
		break;
	case 'c':
		str_copy(p->cpus, sizeof(p->cpus), packet + 1);
		break;
	case 'n':
		answer = p->n_asked;
		break;
	case 'l':
		answer = listen_on(p, packet + 1);
		break;
	default:
		answer = tell_event(p, packet + 1);
	}
	return send(p->control, &answer, sizeof(answer), 0) == (ssize_t)sizeof(answer);
}

static const char *
answer_to(const struct play *p, const char *command)
{
	if (strcmp(command, "query-cpus-fast") == 0)
		return p->cpus;
	if (strcmp(command, "query-status") == 0)
		return "{\"status\": \"running\", \"running\": true}";
	if (strcmp(command, "query-hotpluggable-cpus") == 0)
		return "[{\"vcpus-count\": 8}]";
	if (strcmp(command, "query-iothreads") == 0)
		return "[]";
	if (strcmp(command, "query-name") == 0)
		return "{\"name\": \"stand-in\"}";
	return "{}";
}

static void
serve(struct play *p, int *client)
{
	char text[PACKET_MAX + 128];
	char command[32];
	char id[32];
	int r = server_hear(*client, command, id);

	if (r == 0) {
		p->n_asked += strcmp(command, "query-cpus-fast") == 0;
		(void)snprintf(text, sizeof(text),
			"{\"return\": %s, \"id\": \"%s\"}\r\n", answer_to(p, command),
			id);
		r = server_say(*client, text);
	}
	if (r < 0) {
		close(*client);
		*client = -1;
	}
}

static void
welcome(struct play *p)
{
	int fd = server_accept(p->listener);

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (p->clients[i] >= 0)
			continue;
		p->clients[i] = fd;
		(void)server_say(fd, SERVER_GREETING);
		return;
	}
	close(fd);
}

static _Noreturn void
play(int control)
{
	struct play p = {.control = control, .listener = -1, .cpus = "[]"};
	struct pollfd fds[2 + CLIENTS_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "qemu-system-x86");
	memset(p.clients, -1, sizeof(p.clients));
	for (;;) {
		fds[0] = (struct pollfd){.fd = p.control, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = p.listener, .events = POLLIN};
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			fds[2 + i] =
				(struct pollfd){.fd = p.clients[i], .events = POLLIN};
		if (poll(fds, ARRAY_LEN(fds), -1) < 0)
			_exit(1);
		if (fds[0].revents != 0 && !obey(&p))
			_exit(0);
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			if (fds[2 + i].revents != 0)
				serve(&p, &p.clients[i]);
		}
		if (fds[1].revents != 0)
			welcome(&p);
	}
}

static int
ask(struct standin *s, char what, const char *text)
{
	auto_free char *packet = xasprintf("%c%s", what, text);
	int answer;

	if (send(s->control, packet, strlen(packet), MSG_NOSIGNAL) < 0 ||
		recv(s->control, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
		err(99, "stand-in of VM %d", s->vmid);
	return answer;
}

static void
write_pidfile(const char *dir, int vmid, pid_t pid)
{
	auto_free char *path = xasprintf("%s/%d.pid", dir, vmid);
	FILE *f = fopen(path, "we");

	if (f == NULL)
		err(99, "%s", path);
	fprintf(f, "%d\n", (int)pid);
	fclose(f);
}

struct standin
standin_new(const char *dir, int vmid)
{
	struct standin s = {.vmid = vmid};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(99, "socketpair");
	s.pid = fork();
	if (s.pid < 0)
		err(99, "fork");
	if (s.pid == 0)
		play(ends[1]);
	close(ends[1]);
	s.control = ends[0];
	s.socket_path = xasprintf("%s/%d.qmp", dir, vmid);
	write_pidfile(dir, vmid, s.pid);
	return s;
}

struct standin
standin_vm(const char *dir, int vmid, unsigned int n_vcpus)
{
	struct standin s = standin_new(dir, vmid);

	for (unsigned int i = 0; i < n_vcpus; i++)
		(void)standin_plug(&s, i);
	(void)standin_thread(&s, "IO mon_iothread");
	standin_listen(&s);
	return s;
}

void
standin_listen(struct standin *s)
{
	(void)ask(s, 'l', s->socket_path);
}

pid_t
standin_thread(struct standin *s, const char *name)
{
	return ask(s, 't', name);
}

void
standin_end_thread(struct standin *s, pid_t tid)
{
	auto_free char *text = xasprintf("%d", (int)tid);
	auto_free char *path = xasprintf("/proc/%d/task/%d", (int)s->pid, (int)tid);

	(void)ask(s, 'e', text);
	while (access(path, F_OK) == 0) /* joined: gone in a moment */
		sched_yield();
}

void
standin_claim(struct standin *s, unsigned int index, pid_t tid)
{
	struct strbuf text = {0};
	const char *comma = "";

	s->claims[index] = tid;
	strbuf_adds(&text, "[");
	for (unsigned int i = 0; i < STANDIN_VCPUS_MAX; i++) {
		if (s->claims[i] == 0)
			continue;
		strbuf_addf(&text, "%s{\"cpu-index\": %u, \"thread-id\": %d}", comma, i,
			(int)s->claims[i]);
		comma = ", ";
	}
	strbuf_adds(&text, "]");
	(void)ask(s, 'c', strbuf_text(&text));
	strbuf_fini(&text);
}

unsigned int
standin_dialogues(struct standin *s)
{
	return (unsigned int)ask(s, 'n', "");
}

void
standin_load(struct standin *s, pid_t tid, bool busy)
{
	auto_free char *text = xasprintf("%d", (int)tid);

	(void)ask(s, busy ? 'b' : 's', text);
}

pid_t
standin_plug(struct standin *s, unsigned int index)
{
	auto_free char *name = xasprintf("CPU %u/KVM", index);
	pid_t tid = standin_thread(s, name);

	standin_claim(s, index, tid);
	return tid;
}

void
standin_event(struct standin *s, const char *name)
{
	(void)ask(s, 'v', name);
}

void
standin_kill(struct standin *s)
{
	siginfo_t info;

	(void)kill(s->pid, SIGKILL);
	if (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT) < 0)
		err(99, "waitid");
}

void
standin_fini(struct standin *s)
{
	if (s->pid <= 0)
		return;
	(void)kill(s->pid, SIGKILL);
	if (waitpid(s->pid, NULL, 0) != s->pid)
		err(99, "waitpid");
	close(s->control);
	free(s->socket_path);
	s->pid = 0;
}

struct cpuset
standin_mask(pid_t tid)
{
	struct cpuset set = CPUSET_NONE;

	if (syscall(SYS_sched_getaffinity, tid, sizeof(set.words), set.words) < 0)
		err(99, "mask of thread %d", (int)tid);
	return set;
}

void
standin_set_mask(pid_t tid, const struct cpuset *cpus)
{
	if (syscall(SYS_sched_setaffinity, tid, sizeof(cpus->words), cpus->words) < 0)
		err(99, "mask of thread %d", (int)tid);
}
