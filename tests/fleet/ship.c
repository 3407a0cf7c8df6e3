// SPDX-License-Identifier: MIT
/*
 * The process of one stand-in. Its main thread, the emulator, serves the monitor and
 * the orders; all other threads only are there.
 *
 * Source of the answers: QEMU's qapi/machine.json, misc.json, run-state.json; 7.2.
 */
#include "config.h"

#include "ship.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "crew.h"
#include "monitor.h"

#define VCPUS_MAX 256u
#define IOTHREADS_MAX 16u
/* Where the orders come from, in the new process. */
#define CONTROL_FD 3
/* How often a storm blows. */
#define STORM_MS 2

struct deck {
	int vmid;
	const struct ship_plan *plan;
	struct crew crew;
	unsigned int n_vcpus;
	struct hand *vcpus[VCPUS_MAX];
	struct hand *iothreads[IOTHREADS_MAX];
	struct hand *worker; /* the last one by order; NULL: none */
	bool paused;
	bool over;
	struct {
		unsigned int rate; /* events a second, 0: none */
		uint64_t began_us;
		uint64_t made;
	} storm;
	struct monitor_server monitor;
};

static json_t *
props_of(unsigned int core)
{
	return json_pack(
		"{si si si}", "core-id", (int)core, "thread-id", 0, "socket-id", 0);
}

static json_t *
answer_cpus(const struct deck *d)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < d->n_vcpus; i++)
		json_array_append_new(
			all, json_pack("{si so ss si ss}", "thread-id",
				     (int)crew_tid(d->vcpus[i]), "props", props_of(i),
				     "qom-path", "/machine/unattached/device[0]",
				     "cpu-index", (int)i, "target", "x86_64"));
	return all;
}

static json_t *
answer_slots(const struct deck *d)
{
	json_t *all = json_array();

	for (unsigned int i = d->plan->vcpus_max; i-- > 0;) {
		json_t *slot = json_pack("{so si ss}", "props", props_of(i),
			"vcpus-count", 1, "type", "kvm64-x86_64-cpu");

		if (i < d->n_vcpus)
			json_object_set_new(slot, "qom-path",
				json_string("/machine/unattached/device[0]"));
		json_array_append_new(all, slot);
	}
	return all;
}

static json_t *
answer_iothreads(const struct deck *d)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < d->plan->iothreads; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "iothread-virtioscsi%u", i);
		json_array_append_new(all,
			json_pack("{si si si si si ss}", "poll-shrink", 0, "thread-id",
				(int)crew_tid(d->iothreads[i]), "aio-max-batch", 0,
				"poll-grow", 0, "poll-max-ns", 32768, "id", id));
	}
	return all;
}

static json_t *
answer_status(const struct deck *d)
{
	return json_pack("{ss sb sb}", "status", d->paused ? "paused" : "running",
		"singlestep", 0, "running", !d->paused);
}

static json_t *
answer_name(const struct deck *d)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "vm%d", d->vmid);
	return json_pack("{ss}", "name", name);
}

/* Memory of its own has no QEMU that is started without memory backends. */
static json_t *
answer_nothing(const struct deck *d)
{
	(void)d;
	return json_array();
}

static json_t *
answer_version(const struct deck *d)
{
	(void)d;
	return json_pack("{s{si si si} ss}", "qemu", "micro", 22, "minor", 2, "major",
		7, "package", "fleet");
}

static json_t *
answer(void *owner, const char *command)
{
	static const struct {
		const char *command;
		json_t *(*answer)(const struct deck *);
	} table[] = {
		{"query-cpus-fast", answer_cpus},
		{"query-hotpluggable-cpus", answer_slots},
		{"query-iothreads", answer_iothreads},
		{"query-status", answer_status},
		{"query-name", answer_name},
		{"query-memdev", answer_nothing},
		{"query-memory-devices", answer_nothing},
		{"query-chardev", answer_nothing},
		{"qom-list", answer_nothing}, /* a QEMU without monitor objects */
		{"query-migrate", NULL},      /* of none there is nothing to say */
		{"query-version", answer_version},
	};
	const struct deck *d = owner;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].command, command) == 0)
			return table[i].answer != NULL ? table[i].answer(d)
						       : json_object();
	}
	return NULL;
}

static int
plug(struct deck *d)
{
	char name[32];

	if (d->n_vcpus == d->plan->vcpus_max)
		return EBUSY;
	(void)snprintf(name, sizeof(name), "CPU %u/KVM", d->n_vcpus);
	d->vcpus[d->n_vcpus] = crew_add(&d->crew, name);
	if (d->vcpus[d->n_vcpus] == NULL)
		return errno;
	d->n_vcpus++;
	return 0;
}

static int
plug_as_ordered(struct deck *d)
{
	char device[16];
	int r = plug(d);

	if (r != 0)
		return r;
	(void)snprintf(device, sizeof(device), "cpu%u", d->n_vcpus - 1);
	monitor_server_event(&d->monitor, "ACPI_DEVICE_OST",
		json_pack("{s{ss si ss si si}}", "info", "device", device, "slot",
			(int)d->n_vcpus - 1, "slot-type", "CPU", "source", 1, "status",
			0));
	return 0;
}

static int
unplug(struct deck *d)
{
	char device[16];

	if (d->n_vcpus < 2)
		return EBUSY;
	crew_end(&d->crew, d->vcpus[--d->n_vcpus]);
	(void)snprintf(device, sizeof(device), "cpu%u", d->n_vcpus);
	monitor_server_event(&d->monitor, "DEVICE_DELETED",
		json_pack("{ss ss+}", "device", device, "path", "/machine/peripheral/",
			device));
	return 0;
}

static int
pause_or_resume(struct deck *d, bool pause)
{
	if (d->paused != pause)
		monitor_server_event(&d->monitor, pause ? "STOP" : "RESUME", NULL);
	d->paused = pause;
	return 0;
}

static int
keep_busy(struct deck *d, unsigned int n)
{
	for (unsigned int i = 0; i < d->n_vcpus; i++)
		crew_set_busy(d->vcpus[i], i < n);
	return 0;
}

static int
hire(struct deck *d, const char *name)
{
	struct hand *hand = crew_add(&d->crew, name);

	if (hand == NULL)
		return errno;
	d->worker = hand;
	return 0;
}

static int
dismiss(struct deck *d)
{
	if (d->worker == NULL)
		return ENOENT;
	crew_end(&d->crew, d->worker);
	d->worker = NULL;
	return 0;
}

static uint64_t
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int
begin_storm(struct deck *d, unsigned int rate)
{
	d->storm.rate = rate;
	d->storm.began_us = now_us();
	d->storm.made = 0;
	return 0;
}

/* The events that are due. Every second one asks for a look at the vCPUs. */
static void
storm(struct deck *d)
{
	static const char *const names[] = {"RTC_CHANGE", "ACPI_DEVICE_OST"};
	uint64_t due = (now_us() - d->storm.began_us) * d->storm.rate / 1000000;

	for (; d->storm.rate > 0 && d->storm.made < due; d->storm.made++) {
		if (monitor_server_is_behind(&d->monitor))
			continue; /* not read: QEMU keeps a few of each kind */
		monitor_server_event(&d->monitor, names[d->storm.made % 2], NULL);
		atomic_fetch_add(d->plan->sent, 1);
	}
}

static int
quit(struct deck *d)
{
	monitor_server_event(&d->monitor, "SHUTDOWN",
		json_pack("{sb ss}", "guest", 0, "reason", "host-qmp-quit"));
	d->over = true;
	return 0;
}

static int
obey(struct deck *d, const struct ship_order *order)
{
	switch (order->verb) {
	case SHIP_PLUG:
		return plug_as_ordered(d);
	case SHIP_UNPLUG:
		return unplug(d);
	case SHIP_PAUSE:
	case SHIP_RESUME:
		return pause_or_resume(d, order->verb == SHIP_PAUSE);
	case SHIP_BUSY:
		return keep_busy(d, order->number);
	case SHIP_EVENT:
		monitor_server_event(&d->monitor, order->name, NULL);
		return 0;
	case SHIP_THREAD:
		return hire(d, order->name);
	case SHIP_UNTHREAD:
		return dismiss(d);
	case SHIP_STORM:
		return begin_storm(d, order->number);
	case SHIP_QUIT:
		return quit(d);
	}
	return EINVAL;
}

/* The threads of a QEMU that has just started. */
static int
man(struct deck *d)
{
	static const char *const usual[] = {"call_rcu", "IO mon_iothread"};
	int r = 0;

	if (crew_add(&d->crew, usual[0]) == NULL)
		return errno;
	for (unsigned int i = 0; i < d->plan->iothreads; i++) {
		d->iothreads[i] = crew_add(&d->crew, "IO iothread-vir");
		if (d->iothreads[i] == NULL)
			return errno;
	}
	if (crew_add(&d->crew, usual[1]) == NULL)
		return errno;
	while (r == 0 && d->n_vcpus < d->plan->vcpus)
		r = plug(d);
	/* the main thread is one of all */
	while (r == 0 && d->crew.n + 1 < d->plan->threads)
		r = crew_add(&d->crew, "worker") != NULL ? 0 : errno;
	return r;
}

static int
write_pidfile(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		return errno;
	fprintf(f, "%d\n", (int)getpid());
	return fclose(f) == 0 ? 0 : errno;
}

static void
tell(int r)
{
	if (send(CONTROL_FD, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void
sail(struct deck *d)
{
	while (!d->over) {
		struct pollfd fds[2] = {{.fd = CONTROL_FD, .events = POLLIN},
			monitor_server_wants(&d->monitor)};
		struct ship_order order;

		if (poll(fds, ARRAY_LEN(fds), d->storm.rate > 0 ? STORM_MS : -1) < 0)
			_exit(1);
		storm(d);
		monitor_server_serve(&d->monitor, fds[1].revents);
		if (fds[0].revents == 0)
			continue;
		if (recv(CONTROL_FD, &order, sizeof(order), 0) !=
			(ssize_t)sizeof(order))
			_exit(0); /* the fleet has gone */
		tell(obey(d, &order));
	}
}

/* What it has from its parent, and should not: the ends of all other stand-ins. */
static void
cut_loose(int control)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(control, CONTROL_FD) < 0 ||
		close_range(CONTROL_FD + 1, ~0u, 0) < 0)
		_exit(1);
}

static _Noreturn void
live(int vmid, const struct ship_plan *plan, int control, pid_t parent)
{
	struct deck d = {.vmid = vmid, .plan = plan};
	auto_free char *qmp = xasprintf("%s/%d.qmp", plan->dir, vmid);
	auto_free char *pid = xasprintf("%s/%d.pid", plan->dir, vmid);
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)prctl(PR_SET_NAME, "qemu-system-x86");
	cut_loose(control);
	r = man(&d);
	if (r == 0)
		r = write_pidfile(pid);
	if (r == 0)
		r = monitor_server_init(&d.monitor, qmp, answer, &d);
	tell(r);
	if (r != 0)
		_exit(1);
	sail(&d);
	(void)unlink(qmp);
	(void)unlink(pid);
	_exit(0);
}

int
ship_launch(struct ship *ship, int vmid, const struct ship_plan *plan)
{
	pid_t parent = getpid();
	int ends[2];

	if (plan->vcpus_max > VCPUS_MAX || plan->iothreads > IOTHREADS_MAX)
		return E2BIG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return errno;
	*ship = (struct ship){.vmid = vmid, .control = ends[0], .pid = fork()};
	if (ship->pid == 0)
		live(vmid, plan, ends[1], parent);
	close(ends[1]);
	if (ship->pid > 0)
		return 0;
	close(ends[0]);
	return EAGAIN;
}

int
ship_await(const struct ship *ship)
{
	int answer;

	if (recv(ship->control, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
		return ESRCH;
	return answer;
}

int
ship_command(const struct ship *ship, const struct ship_order *order)
{
	if (send(ship->control, order, sizeof(*order), MSG_NOSIGNAL) < 0)
		return errno;
	return ship_await(ship);
}

void
ship_reap(struct ship *ship)
{
	close(ship->control);
	(void)waitpid(ship->pid, NULL, 0);
	ship->pid = 0;
}

void
ship_kill(struct ship *ship)
{
	(void)kill(ship->pid, SIGKILL);
	ship_reap(ship);
}
