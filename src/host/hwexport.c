// SPDX-License-Identifier: MIT
/*
 * A topology from wherever it is, with everything that hwloc draws, and one matrix
 * more. All of hwloc happens in a child process.
 */
#include "config.h"

#include "host/hwexport.h"

#include <errno.h>
#include <hwloc.h>
#include <hwloc/distances.h>
#include <hwloc/export.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/hwchild.h"
#include "host/hwscan.h"
#include "host/sysroot.h"
#include "host/textfile.h"

#define XML_BYTES_MAX (32u << 20)
#define PS_PER_NS 1000.0

/* What the child is to do: @xml, or @root, or, without either, this machine. */
struct job {
	const char *xml;
	const char *root;
	const char *name;
	const struct matrix *m;
};

static int
load(hwloc_topology_t h, const struct job *job)
{
	if (hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0)
		return -1;
	if (job->xml != NULL && hwloc_topology_set_xmlbuffer(
					h, job->xml, (int)strlen(job->xml) + 1) < 0)
		return -1;
	return hwloc_topology_load(h);
}

/* PUs that the matrix knows, and their rows. Returns how many there are. */
static unsigned int
find_pus(hwloc_topology_t h, const struct matrix *m, hwloc_obj_t *pus,
	unsigned int *rows)
{
	hwloc_obj_t pu = NULL;
	unsigned int n = 0;

	while (n < m->n &&
		(pu = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_PU, pu)) != NULL) {
		int row = matrix_index(m, pu->os_index);

		if (row < 0)
			continue;
		pus[n] = pu;
		rows[n++] = (unsigned int)row;
	}
	return n;
}

static hwloc_uint64_t
value_of(const struct matrix *m, unsigned int a, unsigned int b)
{
	float ns = a != b ? matrix_at(m, a, b)->ns : 0;

	return ns > 0 ? (hwloc_uint64_t)((double)ns * PS_PER_NS + 0.5) : 0;
}

/* What an XML file holds from an earlier export. */
static void
remove_old(hwloc_topology_t h)
{
	struct hwloc_distances_s *d;
	unsigned int n = 1;

	while (hwloc_distances_get_by_name(h, HWEXPORT_NAME, &n, &d, 0) == 0 && n > 0) {
		if (hwloc_distances_release_remove(h, d) < 0)
			return;
		n = 1;
	}
}

static int
add_distances(hwloc_topology_t h, const struct job *job, struct err *e)
{
	const struct matrix *m = job->m;
	auto_free hwloc_obj_t *pus = xcalloc(m->n, sizeof(hwloc_obj_t));
	auto_free unsigned int *rows = xcalloc(m->n, sizeof(*rows));
	unsigned int n = find_pus(h, m, pus, rows);
	auto_free hwloc_uint64_t *values = xcalloc((size_t)n * n, sizeof(*values));
	hwloc_distances_add_handle_t handle;

	if (n < 2)
		return err_set(e, -ENOENT, job->name, 0,
			"fewer than two of its CPUs have been measured");
	for (size_t i = 0; i < (size_t)n * n; i++)
		values[i] = value_of(m, rows[i / n], rows[i % n]);
	remove_old(h);
	handle = hwloc_distances_add_create(h, HWEXPORT_NAME,
		HWLOC_DISTANCES_KIND_FROM_USER | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
	if (handle == NULL ||
		hwloc_distances_add_values(h, handle, n, pus, values, 0) < 0 ||
		hwloc_distances_add_commit(h, handle, 0) < 0)
		return err_set(e, -EINVAL, job->name, 0,
			"hwloc takes no distances between these CPUs");
	return 0;
}

static int
write_xml(hwloc_topology_t h, const struct job *job, struct strbuf *out, struct err *e)
{
	char *text = NULL;
	int len = 0;

	if (hwloc_topology_export_xmlbuffer(h, &text, &len, 0) < 0)
		return err_set(e, -EINVAL, job->name, 0, "hwloc cannot write it");
	strbuf_adds(out, text);
	hwloc_free_xmlbuffer(h, text);
	return 0;
}

/* In the child, which ends after it: nothing is given back. */
static int export(const void *arg, struct strbuf *out, struct err *e)
{
	const struct job *job = arg;
	bool here = job->xml == NULL && job->root == NULL;
	hwloc_topology_t h;
	int r;

	if (job->xml != NULL) {
		r = hwscan_check_xml(job->xml, job->name, e);
		if (r < 0)
			return r;
	}
	hwscan_set_environment(job->root);
	if (hwloc_topology_init(&h) < 0 || load(h, job) < 0)
		return err_set(e, -EINVAL, job->name, 0,
			"hwloc finds no topology that it understands");
	if ((hwloc_topology_is_thissystem(h) != 0) != here)
		return err_set(e, -EINVAL, job->name, 0,
			"hwloc describes another machine instead");
	r = add_distances(h, job, e);
	return r < 0 ? r : write_xml(h, job, out, e);
}

static int
run(const struct job *job, char **xml, struct err *e)
{
	struct strbuf answer = {0};
	int r = hwchild_run(export, job, job->name, HWEXPORT_BYTES_MAX, &answer, e);

	if (r == 0)
		*xml = strbuf_take(&answer);
	return r;
}

int
hwexport_xml(const char *path, const struct matrix *m, char **xml, struct err *e)
{
	struct job job = {.name = path != NULL ? path : "this machine", .m = m};
	auto_free char *text = NULL;
	auto_free char *root = NULL;
	struct stat st;
	int r = 0;

	if (path != NULL && stat(path, &st) < 0)
		return err_set(
			e, -errno, path, 0, "cannot be read: %s", strerror(errno));
	if (path != NULL && S_ISDIR(st.st_mode))
		r = sysroot_check(path, &root, e);
	else if (path != NULL)
		r = textfile_read(path, XML_BYTES_MAX, &text, e);
	if (r < 0)
		return err_set(e, r, path, 0, "cannot be read: %s", strerror(-r));
	job.root = root;
	job.xml = text;
	return run(&job, xml, e);
}
