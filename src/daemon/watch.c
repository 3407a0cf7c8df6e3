// SPDX-License-Identifier: MIT
/*
 * From sockets to VMs. A VM lives here as long as its socket's file or its process; all
 * callbacks are thin.
 */
#include "config.h"

#include "daemon/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/release.h"
#include "daemon/report.h"
#include "qmp/backlog.h"
#include "qmp/reception.h"
#include "vm/discovery.h"

/* Proxmox talks to a new VM first; stay out of its way. */
#define FIRST_CONNECT_MS 200
/* To connect takes some 0.2 ms of us, and the answers as much: so many VMs of a host
 * that is full of them are visited between looks at who else wants something. */
#define DIALS_MAX 8u
/* And so many at a time: answers of more of them would lie unread for so long, on a
 * machine that has little time for us, that the guard takes us for stopped. */
#define UNANSWERED_MAX 32u
/* Those of QEMUs that hang are not waited for. */
#define ANSWER_MS 100u
#define ANSWER_LOOK_MS 2u
/* Who dials in without being a VM may do so every few seconds. */
#define STRANGER_US UINT64_C(60000000)

struct watch {
	struct engine *engine;
	struct discovery *discovery;
	struct reception *reception; /* NULL: QEMU cannot dial in */
	uint64_t stranger_us;	     /* when one was last told; 0: never */
	struct event *dial;	     /* VMs that ran before us are not yet visited */
	uint64_t dialled_us;	     /* the last of them that were */
	bool told_polling;
};

static void
forget_vm(struct watch *w, struct vm *vm)
{
	struct engine *e = w->engine;

	if (vm->proven && !e->dry_run)
		record_remove(e->run_dirfd, vm->id);
	if (vm->placed)
		engine_replan(e);
	engine_remove(e, vm);
	e->on_change(e->owner);
}

static void
on_process_end(evutil_socket_t fd, short what, void *arg)
{
	struct vm *vm = arg;
	struct watch *w = vm->owner;

	(void)fd;
	(void)what;
	report_vm(vm, LOG_INFO, "ended");
	if (vm->socket_lost) {
		forget_vm(w, vm);
		return;
	}
	if (!w->engine->dry_run)
		record_remove(w->engine->run_dirfd, vm->id);
	if (vm->placed)
		engine_replan(w->engine);
	vm_forget_process(vm);
	vm_set_state(vm, VM_GONE);
	str_copy(vm->note, sizeof(vm->note), "ended; its socket is still there");
	w->engine->on_change(w->engine->owner);
}

/* The peer is proven to be the process that was known already. */
static bool
is_same_process(const struct vm *vm, const struct vm_identity *id)
{
	return vm->proven && vm->identity.pid == id->pid &&
	       vm->identity.start_ticks == id->start_ticks;
}

static void
accept_identity(struct vm *vm, const struct vm_identity *id)
{
	struct watch *w = vm->owner;
	bool preexisting = vm->preexisting;

	if (vm->proven)
		vm_forget_process(vm);
	vm->identity = *id;
	vm->proven = true;
	vm->preexisting = preexisting;
	vm->on_end = event_new(w->engine->base, id->pidfd, EV_READ, on_process_end, vm);
	event_add(vm->on_end, NULL);
}

static int
prove(const struct vm *vm, int fd, const struct ucred *peer, struct vm_identity *id,
	struct err *why)
{
	const struct watch *w = vm->owner;
	int r = identity_prove(
		w->engine->procfd, vm->socket_path, vm->pid_path, true, peer, id, why);

	if (r < 0)
		return r;
	r = identity_check_peer(fd, vm->socket_path, why);
	if (r < 0)
		identity_fini(id);
	return r;
}

/* A peer that hangs up at once may be a QEMU that is busy with the client before us,
 * and a session that ends before it is up one that the guard has cut short while we had
 * no time. It is told of when it comes to that again. */
static bool
has_hung_up_again(struct vm *vm)
{
	bool again = vm->hung_up;

	vm->hung_up = true;
	return again;
}

static int
on_monitor_peer(void *owner, int fd, const struct ucred *peer)
{
	struct vm *vm = owner;
	struct vm_identity id;
	struct err why = ERR_NONE;
	int r = prove(vm, fd, peer, &id, &why);

	vm->refused = r < 0;
	if (r < 0 && (r != -ECONNRESET || has_hung_up_again(vm)))
		report_trouble(vm, &why);
	if (r < 0)
		return r;
	if (is_same_process(vm, &id))
		identity_fini(&id);
	else
		accept_identity(vm, &id);
	return vm->identity.pidfd;
}

static enum vm_state
state_of(const struct vm *vm, enum monitor_phase phase)
{
	switch (phase) {
	case MONITOR_CONNECTING:
		return VM_CONNECTING;
	case MONITOR_YIELDED:
		return VM_YIELDED;
	case MONITOR_WATCHING:
		return vm->has_facts && !vm->facts.running ? VM_PAUSED : VM_WATCHING;
	case MONITOR_STALLED:
		return VM_STALLED;
	default:
		return vm->state == VM_GONE ? VM_GONE : VM_FOUND;
	}
}

static bool
has_ended(const struct vm *vm)
{
	return vm->proven && identity_has_ended(&vm->identity);
}

/* Not news: a dead VM's stale socket refuses; the reason of a refusal of ours was told;
 * a session that breaks off is how a VM ends, which is told when its process has ended,
 * and otherwise the next attempt tells. */
static bool
is_news(struct vm *vm, enum monitor_phase phase, bool was_up)
{
	if (vm->state == VM_GONE || vm->refused)
		return false;
	if (phase != MONITOR_IDLE)
		return true;
	return !was_up && !has_ended(vm) && (!vm->proven || has_hung_up_again(vm));
}

static void
on_monitor_phase(void *owner, enum monitor_phase phase, const struct err *why)
{
	struct vm *vm = owner;
	bool was_up = vm->state == VM_WATCHING || vm->state == VM_PAUSED ||
		      vm->state == VM_YIELDED;
	enum cause cause = vm->state == VM_YIELDED ? CAUSE_USED
			   : vm->surveyed	   ? CAUSE_RECONNECTED
						   : CAUSE_APPEARED;

	if (vm->state == VM_GONE && phase == MONITOR_CONNECTING)
		return;
	if (vm->state == VM_GONE && phase == MONITOR_WATCHING)
		vm_set_state(vm, VM_CONNECTING);
	if (phase != MONITOR_REFUSED && phase != MONITOR_IDLE)
		vm->refused = false;
	if (phase == MONITOR_WATCHING)
		vm->hung_up = false;
	vm_set_state(vm, state_of(vm, phase));
	if (err_is_set(why) && is_news(vm, phase, was_up))
		report_trouble(vm, why);
	if (phase == MONITOR_WATCHING)
		engine_await(vm, cause);
}

static void
take_facts(struct vm *vm, const struct qmp_facts *facts)
{
	qmp_facts_fini(&vm->facts);
	vm->facts = *facts;
	vm->facts.vcpus = xcalloc(facts->n_vcpus, sizeof(*facts->vcpus));
	memcpy(vm->facts.vcpus, facts->vcpus, facts->n_vcpus * sizeof(*facts->vcpus));
	vm->facts.iothreads = xcalloc(facts->n_iothreads, sizeof(*facts->iothreads));
	memcpy(vm->facts.iothreads, facts->iothreads,
		facts->n_iothreads * sizeof(*facts->iothreads));
	vm->facts.memory = memdevs_copy(&facts->memory);
	vm->has_facts = true;
}

static void
on_monitor_facts(void *owner, const struct qmp_facts *facts)
{
	struct vm *vm = owner;
	struct watch *w = vm->owner;

	if (!vm->proven)
		return; /* ended while it answered */
	take_facts(vm, facts);
	vm_set_state(vm, facts->running ? VM_WATCHING : VM_PAUSED);
	engine_facts_arrived(w->engine, vm);
}

static void
on_monitor_no_facts(void *owner, const struct err *why)
{
	struct vm *vm = owner;

	vm->awaiting = false;
	vm->retry = true;
	vm_rest(vm);
	report_trouble(vm, why);
}

static void
on_monitor_event(void *owner, const struct qmp_event *event)
{
	struct vm *vm = owner;
	struct watch *w = vm->owner;
	int cause = cause_of_event(event->kind);

	log_debug("vm %s: event %s", vm->id, event->name);
	if (cause >= 0)
		engine_kick(w->engine, vm, (enum cause)cause);
}

static void
on_monitor_used(void *owner)
{
	struct vm *vm = owner;
	struct watch *w = vm->owner;

	engine_kick(w->engine, vm, CAUSE_USED);
}

static void
on_monitor_client_dropped(void *owner, const struct err *why)
{
	report_vm(owner, LOG_WARNING, "%s", why->text);
}

static void
tell_polling(struct watch *w)
{
	if (w->told_polling || w->engine->commons.n_polled == 0)
		return;
	w->told_polling = true;
	log_notice("no permission to watch monitors (CAP_SYS_PTRACE): they are polled "
		   "for waiting clients, %u at most",
		BACKLOG_VMS_MAX);
}

static void
on_monitor_share(void *owner, enum share share, const struct err *why)
{
	struct vm *vm = owner;
	bool as_wished = why == NULL;

	tell_polling(vm->owner);
	str_copy(vm->share_why, sizeof(vm->share_why), as_wished ? "" : why->text);
	report_vm(vm, LOG_INFO, "its monitor is shared: %s%s%s%s", share_name(share),
		as_wished ? "" : " (", vm->share_why, as_wished ? "" : ")");
}

static void
on_monitor_released(void *owner, int err, const struct err *why)
{
	struct vm *vm = owner;
	struct watch *w = vm->owner;

	release_ended(w->engine, vm, err, why);
}

static const struct monitor_handlers monitor_handlers = {
	.on_peer = on_monitor_peer,
	.on_phase = on_monitor_phase,
	.on_facts = on_monitor_facts,
	.on_no_facts = on_monitor_no_facts,
	.on_event = on_monitor_event,
	.on_used = on_monitor_used,
	.on_client_dropped = on_monitor_client_dropped,
	.on_share = on_monitor_share,
	.on_released = on_monitor_released,
};

/* Many have been dialled and have not answered yet. */
static bool
must_wait_for_answers(const struct watch *w)
{
	const struct engine *e = w->engine;
	unsigned int n = 0;

	if (clock_now_us(e->clock) - w->dialled_us >= ANSWER_MS * UINT64_C(1000))
		return false;
	for (size_t i = 0; i < e->n_vms; i++) {
		const struct vm *vm = e->vms[i];

		if (!vm->undialled && monitor_phase(vm->monitor) == MONITOR_CONNECTING)
			n++;
	}
	return n >= UNANSWERED_MAX;
}

static void
dial_in(struct watch *w, unsigned int ms)
{
	struct timeval tv = clock_timeval_ms(ms);

	evtimer_add(w->dial, &tv);
}

static void
on_dial(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	unsigned int n = 0;

	(void)fd;
	(void)what;
	if (must_wait_for_answers(w)) {
		dial_in(w, ANSWER_LOOK_MS);
		return;
	}
	for (size_t i = 0; i < w->engine->n_vms && n < DIALS_MAX; i++) {
		struct vm *vm = w->engine->vms[i];

		if (!vm->undialled)
			continue;
		vm->undialled = false;
		monitor_start(vm->monitor);
		n++;
	}
	w->dialled_us = clock_now_us(w->engine->clock);
	if (n == DIALS_MAX)
		dial_in(w, 0);
}

/* A new VM has a delay of its own. */
static void
begin_with(struct watch *w, struct vm *vm)
{
	vm->undialled = vm->preexisting;
	if (vm->undialled)
		event_active(w->dial, EV_TIMEOUT, 0);
	else
		monitor_start(vm->monitor);
}

static void
on_discovery_found(void *owner, const struct discovered *found)
{
	struct watch *w = owner;
	struct vm *vm = engine_find(w->engine, found->id);
	struct monitor_options options = {.path = found->socket_path,
		.commons = &w->engine->commons,
		.share = engine_share(w->engine, found->id),
		.first_delay_ms = found->fresh ? FIRST_CONNECT_MS : 0};

	/* A new QEMU under the id of one that is still ending; or the same one whose
	 * socket was away: the record stays, it says whose it is. */
	if (vm != NULL)
		engine_remove(w->engine, vm);
	vm = vm_new(found->id, found->vmid, found->socket_path, found->pid_path);
	vm->owner = w;
	vm->found_us = clock_now_us(w->engine->clock);
	vm->clock = w->engine->clock;
	vm->preexisting = !found->fresh;
	vm->monitor = monitor_new(w->engine->base, &options, &monitor_handlers, vm);
	engine_add(w->engine, vm);
	log_debug("vm %s: found", vm->id);
	begin_with(w, vm);
}

static void
on_discovery_lost(void *owner, const char *id)
{
	struct watch *w = owner;
	struct vm *vm = engine_find(w->engine, id);

	if (vm == NULL)
		return;
	if (vm->proven)
		vm->socket_lost = true; /* the process may live on: its pidfd tells */
	else
		forget_vm(w, vm);
}

static void
on_discovery_trouble(void *owner, const struct err *why)
{
	char text[512];

	(void)owner;
	log_warning("%s", err_format(why, text, sizeof(text)));
}

static const struct discovery_handlers discovery_handlers = {
	.on_found = on_discovery_found,
	.on_lost = on_discovery_lost,
	.on_trouble = on_discovery_trouble,
};

struct watch *
watch_new(struct engine *e, const char *vm_dir)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->engine = e;
	w->dial = evtimer_new(e->base, on_dial, w);
	w->discovery = discovery_new(e->base, vm_dir, &discovery_handlers, w);
	return w;
}

void
watch_start(struct watch *w)
{
	discovery_start(w->discovery);
}

static bool
on_reception_dial_in(void *owner, int fd, const struct ucred *peer)
{
	const struct watch *w = owner;

	for (size_t i = 0; i < w->engine->n_vms; i++) {
		const struct vm *vm = w->engine->vms[i];

		if (vm->proven && vm->identity.pid == peer->pid)
			return monitor_dial_in(vm->monitor, fd);
	}
	return false;
}

static void
on_reception_stranger(void *owner, const struct ucred *peer)
{
	struct watch *w = owner;
	uint64_t now_us = clock_now_us(w->engine->clock);

	if (w->stranger_us != 0 && now_us - w->stranger_us < STRANGER_US)
		return;
	w->stranger_us = now_us;
	log_warning("monitor.sock: process %d of user %u is no VM known here: hung up",
		(int)peer->pid, (unsigned int)peer->uid);
}

int
watch_receive(struct watch *w, const char *run_dir, struct err *e)
{
	static const struct reception_handlers handlers = {
		.on_dial_in = on_reception_dial_in,
		.on_stranger = on_reception_stranger,
	};
	int r = reception_new(w->engine->base, run_dir, &handlers, w, &w->reception, e);

	if (r == 0)
		w->engine->commons.reception = w->reception;
	return r;
}

void
watch_guard_changed(struct watch *w)
{
	for (size_t i = 0; i < w->engine->n_vms; i++)
		monitor_guard_changed(w->engine->vms[i]->monitor);
}

void
watch_finish(struct watch *w)
{
	for (size_t i = 0; i < w->engine->n_vms; i++)
		monitor_finish(w->engine->vms[i]->monitor);
}

bool
watch_is_busy(const struct watch *w)
{
	for (size_t i = 0; i < w->engine->n_vms; i++) {
		if (monitor_is_busy(w->engine->vms[i]->monitor))
			return true;
	}
	return false;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	discovery_free(w->discovery);
	event_free(w->dial);
	reception_free(w->reception);
	free(w);
}
