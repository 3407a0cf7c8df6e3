// SPDX-License-Identifier: MIT
/*
 * Which host this is. Only what stays as it is while CPUs go offline and come back: not
 * even how they share caches, which the kernel tells of online ones only.
 */
#include "config.h"

#include "host/hostid.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "host/cpuident.h"
#include "host/textfile.h"
#include "host/virt.h"
#include "topo/cpuset.h"
#include "topo/model.h"

#define SYSTEM_DIR "sys/devices/system"
/* A row of distances to TOPO_NODE_ID_CAP nodes. */
#define FILE_BYTES_MAX 16384u
/* Of the cpulist in the text for people. */
#define LIST_MAX 32u

/* The numbers N of entries PREFIXN below @cap. Returns 0 or a negative errno. */
static int
scan_dir(const char *path, const char *prefix, unsigned int cap, struct cpuset *out)
{
	struct cpuset found = CPUSET_NONE;
	const struct dirent *d;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return -errno;
	while ((d = readdir(dir)) != NULL) {
		uint64_t n;

		if (str_has_prefix(d->d_name, prefix) &&
			str_parse_uint(d->d_name + strlen(prefix), cap - 1, &n) == 0)
			cpuset_add(&found, (unsigned int)n);
	}
	(void)closedir(dir);
	*out = found;
	return 0;
}

/* All CPUs there are, whether online or not. */
static int
read_present(const char *root, struct cpuset *out, struct err *e)
{
	auto_free char *dir = xasprintf("%s/" SYSTEM_DIR "/cpu", root);
	auto_free char *path = xasprintf("%s/present", dir);
	auto_free char *text = NULL;
	int r;

	if (textfile_read(path, FILE_BYTES_MAX, &text, NULL) == 0 &&
		cpuset_parse(text, out) == 0 && !cpuset_empty(out))
		return 0;
	r = scan_dir(dir, "cpu", CPUSET_CAP, out);
	if (r < 0)
		return err_set(e, r, dir, 0, "cannot be read: %s", strerror(-r));
	if (cpuset_empty(out))
		return err_set(e, -ENOENT, dir, 0, "there is no CPU in it");
	return 0;
}

/* Numbers of nodes and their distances, as text. Returns how many there are. */
static unsigned int
add_nodes(struct strbuf *b, const char *root)
{
	auto_free char *dir = xasprintf("%s/" SYSTEM_DIR "/node", root);
	struct cpuset ids = CPUSET_NONE;

	if (scan_dir(dir, "node", TOPO_NODE_ID_CAP, &ids) < 0)
		return 0;
	cpuset_foreach (id, &ids) {
		auto_free char *path = xasprintf("%s/node%u/distance", dir, id);
		auto_free char *text = NULL;

		if (textfile_read(path, FILE_BYTES_MAX, &text, NULL) < 0)
			text = xstrdup("");
		strbuf_addf(b, "node %u: %s\n", id, text);
	}
	return cpuset_count(&ids);
}

static void
add_cpu(struct strbuf *b, const struct cpuident *id)
{
	strbuf_addf(b, "vendor %s\nbrand %s\n", id->vendor, id->brand);
	strbuf_addf(b, "family %u model %u stepping %u\n", id->family, id->model,
		id->stepping);
	strbuf_addf(b, "microcode %s\n", id->microcode);
}

static void
describe(struct hostid *h, const struct cpuident *id, const struct cpuset *present,
	unsigned int n_nodes)
{
	char list[LIST_MAX];
	struct strbuf b = {0};

	if (id->brand[0] != '\0')
		strbuf_adds(&b, id->brand);
	else
		strbuf_adds(
			&b, id->vendor[0] != '\0' ? id->vendor : "unknown processor");
	if (id->microcode[0] != '\0')
		strbuf_addf(&b, ", microcode %.24s", id->microcode);
	strbuf_addf(&b, ", CPUs %s", cpuset_format(present, list, sizeof(list)));
	if (n_nodes > 0)
		strbuf_addf(&b, ", %u node%s", n_nodes, n_nodes > 1 ? "s" : "");
	str_copy(h->text, sizeof(h->text), strbuf_text(&b));
	strbuf_fini(&b);
}

int
hostid_read(const char *root, struct hostid *out, struct err *e)
{
	struct cpuset present = CPUSET_NONE;
	char list[CPUSET_TEXT_MAX];
	struct strbuf b = {0};
	struct hostid h = {.fingerprint = ""};
	unsigned int n_nodes;
	struct cpuident id;
	int r;

	if (root == NULL)
		root = "";
	r = read_present(root, &present, e);
	if (r < 0)
		return r;
	cpuident_read(root, &id);
	add_cpu(&b, &id);
	strbuf_addf(&b, "present %s\n", cpuset_format(&present, list, sizeof(list)));
	n_nodes = add_nodes(&b, root);
	hash_text(b.s, b.len, h.fingerprint);
	strbuf_fini(&b);
	describe(&h, &id, &present, n_nodes);
	h.virtual = virt_detect(root, &id);
	*out = h;
	return 0;
}
