// SPDX-License-Identifier: MIT
/*
 * Facts of the daemon as lines for people. A problem is what keeps it from its work or
 * is a danger, a warning what makes it do less, a note what somebody may wonder about.
 * Pure.
 */
#include "config.h"

#include "daemon/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

/* The first with monitors that can be added. */
#define PRIVATE_QEMU "11.1"

static void
check_texts(struct checks *out, const char *name, const struct doctor_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		checks_add(out, name, CHECKS_WARNING, "%s", t->texts[i]);
}

/* ---- the daemon ---- */

static void
check_daemon(const struct doctor_facts *f, struct checks *out)
{
	if (f->dry_run) {
		checks_add(out, "daemon", CHECKS_NOTE,
			"qmpind %s runs dry: it plans for %zu VM%s and changes nothing",
			f->version, f->n_vms, f->n_vms == 1 ? "" : "s");
		checks_advise(out, "start it without --dry-run, --root and --topology");
		return;
	}
	checks_add(out, "daemon", CHECKS_OK, "qmpind %s has placed %zu of %zu VM%s",
		f->version, f->n_placed, f->n_vms, f->n_vms == 1 ? "" : "s");
}

static void
check_capabilities(const struct doctor_facts *f, struct checks *out)
{
	if (f->nice && f->ptrace)
		checks_add(
			out, "capabilities", CHECKS_OK, "CAP_SYS_NICE, CAP_SYS_PTRACE");
	if (!f->nice) {
		checks_add(out, "capabilities",
			f->dry_run || f->uid != 0 ? CHECKS_NOTE : CHECKS_PROBLEM,
			"no CAP_SYS_NICE: masks can be set only of VMs of the same "
			"user");
		checks_advise(out, "CapabilityBoundingSet= of qmpind.service should "
				   "have it");
	}
	if (!f->ptrace) {
		checks_add(out, "capabilities", CHECKS_WARNING,
			"no CAP_SYS_PTRACE: who waits for a monitor %s",
			f->diag ? "is polled for"
				: "cannot be seen, so monitors are only visited "
				  "briefly");
		checks_advise(out, "CapabilityBoundingSet= of qmpind.service should "
				   "have it");
	}
}

/* Others could put a socket of theirs in the place of ours, or change records. */
static void
check_run_dir(const struct doctor_facts *f, struct checks *out)
{
	const struct doctor_file *dir = &f->run_dir;

	if (dir->error != 0)
		return;
	if ((dir->mode & 022) != 0 || (dir->uid != f->uid && dir->uid != 0)) {
		checks_add(out, "run_dir", CHECKS_PROBLEM, "others may write in %s",
			dir->path);
		checks_advise(
			out, "chown root %s; chmod 0755 %s", dir->path, dir->path);
		return;
	}
	checks_add(out, "run_dir", CHECKS_OK, "%s", dir->path);
}

/* @not_for: bits that may not be set. */
static void
check_socket(struct checks *out, const struct doctor_file *file, mode_t not_for)
{
	if (file->error != 0) {
		checks_add(out, "sockets", CHECKS_PROBLEM,
			"%s cannot be found: somebody has removed it", file->path);
		checks_advise(out, "systemctl restart qmpind: no mask changes");
	} else if ((file->mode & not_for) != 0) {
		checks_add(out, "sockets", CHECKS_PROBLEM,
			"%s is open to others than it should be", file->path);
		checks_advise(out, "systemctl restart qmpind: no mask changes");
	}
}

static void
check_sockets(const struct doctor_facts *f, struct checks *out)
{
	size_t n = out->n;

	check_socket(out, &f->socket, 077);
	check_socket(out, &f->socket_ro, 007);
	if (out->n == n)
		checks_add(out, "sockets", CHECKS_OK,
			"for the owner, and for the group to read");
}

static void
check_dirs(const struct doctor_facts *f, struct checks *out)
{
	if (f->state_dir.error == -ENOENT || f->state_dir.error == -EACCES ||
		f->state_dir.error == -EROFS) {
		checks_add(out, "state_dir", CHECKS_WARNING,
			"%s %s: latencies are measured anew after each start",
			f->state_dir.path,
			f->state_dir.error == -ENOENT ? "is not there"
						      : "cannot be written");
		checks_advise(out, "StateDirectory= of qmpind.service makes it");
	} else if (f->state_dir.error == 0) {
		checks_add(out, "state_dir", CHECKS_OK, "%s", f->state_dir.path);
	}
	if (f->vm_dir.path != NULL && f->vm_dir.error == -ENOENT) {
		checks_add(out, "vm_dir", CHECKS_NOTE,
			"%s is not there: no VM was started since the host came up, or "
			"this is no Proxmox host",
			f->vm_dir.path);
		checks_advise(out, "where sockets of VMs are elsewhere: --vm-dir");
	}
}

static void
check_limits(const struct doctor_facts *f, struct checks *out)
{
	if (f->fds >= f->fds_needed) {
		checks_add(out, "limits", CHECKS_OK,
			"%" PRIu64 " open files, %zu VM%s need%s %" PRIu64, f->fds,
			f->n_vms, f->n_vms == 1 ? "" : "s", f->n_vms == 1 ? "s" : "",
			f->fds_needed);
		return;
	}
	checks_add(out, "limits", CHECKS_WARNING,
		"%" PRIu64 " open files are too few for %zu VMs, which need %" PRIu64,
		f->fds, f->n_vms, f->fds_needed);
	checks_advise(out, "LimitNOFILE= of qmpind.service");
}

static void
check_config(const struct doctor_facts *f, struct checks *out)
{
	size_t n = out->n;

	if (f->bad_reload[0] != '\0') {
		checks_add(out, "configuration", CHECKS_PROBLEM, "%s", f->bad_reload);
		checks_advise(out, "mend it (qmpind --check-config), then systemctl "
				   "reload qmpind; until then the old one counts");
	} else if (f->newer[0] != '\0') {
		checks_add(out, "configuration", CHECKS_WARNING,
			"%s has changed since it was read", f->newer);
		checks_advise(out, "systemctl reload qmpind");
	}
	if (f->bad_cluster != NULL && f->bad_cluster[0] != '\0') {
		checks_add(out, "configuration", CHECKS_WARNING, "%s", f->bad_cluster);
		checks_advise(out,
			"mend it (qmpin config check /etc/pve/qmpin.conf): it "
			"counts as soon as it is saved");
	}
	if (f->pve != NULL && f->pve[0] != '\0') {
		checks_add(out, "configuration", CHECKS_WARNING, "%s", f->pve);
		checks_advise(
			out, "see whether it hangs: systemctl status pve-cluster");
	}
	check_texts(out, "configuration", &f->config);
	if (out->n == n)
		checks_add(out, "configuration", CHECKS_OK,
			"the files on disk are in force");
}

/* ---- VMs ---- */

static void
check_held_back(const struct doctor_facts *f, struct checks *out)
{
	char who[CHECKS_GROUP_TEXT_MAX];
	size_t n = out->n;

	if (f->stalled.n > 0) {
		checks_add(out, "vms", CHECKS_WARNING, "%s: QEMU does not answer",
			checks_group_text(&f->stalled, who));
		checks_advise(out, "see whether QEMU hangs: qm status --verbose ID");
	}
	if (f->peace.n > 0) {
		checks_add(out, "vms", CHECKS_WARNING,
			"%s: left alone for a while, since somebody keeps changing "
			"masks",
			checks_group_text(&f->peace, who));
		checks_advise(out, "find out who pins, too; then qmpin apply ID");
	}
	if (f->foreign.n > 0) {
		checks_add(out, "vms", CHECKS_NOTE,
			"%s: left alone, since somebody had pinned vCPUs before",
			checks_group_text(&f->foreign, who));
		checks_advise(out, "to have qmpind place it: qmpin apply ID");
	}
	if (f->restored.n > 0) {
		checks_add(out, "vms", CHECKS_NOTE, "%s: restored by hand, left alone",
			checks_group_text(&f->restored, who));
		checks_advise(out, "to have qmpind place it: qmpin apply ID");
	}
	if (f->waiting.n > 0) {
		checks_add(out, "vms", CHECKS_NOTE,
			"%s: ran before qmpind, placed a few a minute",
			checks_group_text(&f->waiting, who));
		checks_advise(out, "at once: qmpin apply --all");
	}
	if (out->n == n && f->n_vms > 0)
		checks_add(out, "vms", CHECKS_OK, "none is held back");
}

static void
check_bounds(const struct doctor_facts *f, struct checks *out)
{
	char who[CHECKS_GROUP_TEXT_MAX];

	if (f->bounded.n > 0) {
		checks_add(out, "cpusets", CHECKS_NOTE,
			"%s: kept to some of the CPUs by a cgroup",
			checks_group_text(&f->bounded, who));
		checks_advise(out, "if that is not meant: systemctl set-property "
				   "ID.scope AllowedCPUs=");
	}
	if (f->dedicated[0] == '\0')
		return;
	if (f->guests.n > 0)
		checks_add(out, "dedicated", CHECKS_NOTE,
			"CPUs %s are some VMs' alone, but %s may run there, too, and "
			"so may services of the host",
			f->dedicated, checks_group_text(&f->guests, who));
	else
		checks_add(out, "dedicated", CHECKS_NOTE,
			"CPUs %s are some VMs' alone; services of the host may run "
			"there all the same",
			f->dedicated);
	checks_advise(out, "keep services away: AllowedCPUs= of system.slice and "
			   "user.slice");
}

static void
check_records(const struct doctor_facts *f, struct checks *out)
{
	char who[CHECKS_GROUP_TEXT_MAX];

	if (f->records.n == 0)
		return;
	checks_add(out, "records", CHECKS_NOTE,
		"%s: gone, but first masks are still on record",
		checks_group_text(&f->records, who));
	checks_advise(out, "the next start of qmpind removes them");
}

/* ---- monitors ---- */

static void
count_ways(const struct doctor_facts *f, char *buf, size_t size)
{
	const struct {
		const char *name;
		size_t n;
	} ways[] = {{"private", f->private.n}, {"yield", f->yield.n},
		{"brief", f->brief.n}, {"proxy", f->proxy.n}};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (ways[i].n == 0)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%zu %s",
			used > 0 ? ", " : "", ways[i].n, ways[i].name);
	}
}

static void
check_sharing(const struct doctor_facts *f, struct checks *out)
{
	char who[CHECKS_GROUP_TEXT_MAX];
	char ways[128];

	count_ways(f, ways, sizeof(ways));
	if (ways[0] != '\0')
		checks_add(out, "monitors", CHECKS_OK, "shared: %s", ways);
	check_texts(out, "monitors", &f->sharing);
	for (size_t i = 0; i < f->n_versions; i++)
		checks_add(out, "qemu", CHECKS_OK, "%u.%u: %s", f->versions[i].major,
			f->versions[i].minor,
			checks_group_text(&f->versions[i].vms, who));
	if (f->old.n > 0) {
		checks_add(out, "qemu", CHECKS_NOTE,
			"%s: the monitor is held in common with others (yield), the best "
			"there is before QEMU " PRIVATE_QEMU,
			checks_group_text(&f->old, who));
		checks_advise(out,
			"QEMU " PRIVATE_QEMU " or later gives qmpind one of its "
			"own (private), once a VM is restarted");
	}
	if (f->replaced.n > 0) {
		checks_add(out, "qemu", CHECKS_NOTE,
			"%s: still run%s the QEMU that was there before an upgrade",
			checks_group_text(&f->replaced, who),
			f->replaced.n > 1 ? "" : "s");
		checks_advise(out, "a restart or a migration gives it the new one");
	}
}

/* ---- what placement goes by ---- */

static void
check_latencies(const struct doctor_facts *f, struct checks *out)
{
	if (f->probing != NULL)
		checks_add(out, "latencies", CHECKS_WARNING, "%s", f->probing);
	if (str_equal(f->latency, "untrusted"))
		checks_add(out, "latencies", CHECKS_NOTE,
			"measured, but not trusted%s%s: placed by the host's own tree",
			f->why != NULL ? ": " : "", f->why != NULL ? f->why : "");
	else if (str_equal(f->latency, "measuring"))
		checks_add(out, "latencies", CHECKS_OK, "being measured");
	else if (str_equal(f->latency, "measured"))
		checks_add(out, "latencies", CHECKS_OK, "measured");
	else if (f->probing == NULL)
		checks_add(out, "latencies", CHECKS_OK,
			"not measured: placed by the host's own tree");
}

static void
check_memory(const struct doctor_facts *f, struct checks *out)
{
	for (size_t i = 0; i < f->memory.n; i++) {
		const char *text = f->memory.texts[i];

		/* the name that hostcheck has for it */
		checks_add(out, str_has_prefix(text, "numad ") ? "numad" : "memory",
			CHECKS_WARNING, "%s", text);
	}
}

static bool
version_below(const struct doctor_version *v, unsigned int major, unsigned int minor)
{
	return v->major != major ? v->major < major : v->minor < minor;
}

void
doctor_add_version(
	struct doctor_facts *f, unsigned int major, unsigned int minor, const char *id)
{
	size_t at = 0;

	while (at < f->n_versions && version_below(&f->versions[at], major, minor))
		at++;
	if (at == f->n_versions || f->versions[at].major != major ||
		f->versions[at].minor != minor) {
		if (f->n_versions == DOCTOR_VERSIONS_MAX)
			return;
		memmove(&f->versions[at + 1], &f->versions[at],
			(f->n_versions - at) * sizeof(f->versions[0]));
		f->versions[at] =
			(struct doctor_version){.major = major, .minor = minor};
		f->n_versions++;
	}
	checks_group_add(&f->versions[at].vms, id);
}

void
doctor_run(const struct doctor_facts *f, struct checks *out)
{
	check_daemon(f, out);
	check_capabilities(f, out);
	check_run_dir(f, out);
	check_sockets(f, out);
	check_dirs(f, out);
	check_limits(f, out);
	check_config(f, out);
	check_held_back(f, out);
	check_records(f, out);
	check_sharing(f, out);
	check_bounds(f, out);
	check_latencies(f, out);
	check_memory(f, out);
}
