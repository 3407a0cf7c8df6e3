// SPDX-License-Identifier: MIT
/*
 * Line by line, as Proxmox does: the last valid value of a key counts, what it would
 * not read counts for nothing and is named. numaN and hostpciN become lists when all
 * lines are read.
 */
#include "config.h"

#include "pve/vmconf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "pve/pciaddr.h"
#include "pve/pvetext.h"
#include "pve/vmdesc.h"

#define COUNT_MAX 65535u     /* of cores and sockets: their product is a number */
#define CPUUNITS_MAX 262144u /* Proxmox's */
#define CPULIMIT_MAX 65535.0
#define MEMORY_MAX_MIB (UINT64_C(1) << 40)
#define LOCK_MAX 63u
#define HOOKSCRIPT_MAX 255u
#define PCI_SLOTS 16u

#define NO_NUMBER "not a number"
#define TOO_LARGE "too large"
#define NO_CPUS "not a list of CPUs"

/* numaN and hostpciN are gathered in their slots. */
struct reader {
	struct vmconf c;
	unsigned int line;
	unsigned int smp; /* sockets, in configurations of Proxmox VE 1 */
	struct strbuf description;
	bool has_node[VMCONF_NODES_MAX];
	struct vmconf_node nodes[VMCONF_NODES_MAX];
	struct pvetext pci[PCI_SLOTS];
	unsigned int pci_line[PCI_SLOTS];
};

/* Reads @value into a member of struct reader, untouched on failure. Returns NULL or
 * what is wrong with it. */
typedef const char *value_reader(struct reader *r, void *member, struct pvetext value);

/* ---- complaints ---- */

static void
warn(struct reader *r, struct pvetext key, struct pvetext value, const char *why)
{
	struct vmconf *c = &r->c;
	char safe[64];

	if (c->n_warnings == VMCONF_WARNINGS_MAX)
		return;
	if (c->warnings == NULL)
		c->warnings = xcalloc(VMCONF_WARNINGS_MAX, sizeof(*c->warnings));
	str_escape(value.s, value.len, safe, sizeof(safe));
	c->warnings[c->n_warnings++] =
		key.len > 0 ? xasprintf("line %u: %.*s: \"%s\": %s", r->line,
				      (int)key.len, key.s, safe, why)
			    : xasprintf("line %u: \"%s\": %s", r->line, safe, why);
}

static const char *
complaint(int r, const char *invalid, const char *range)
{
	return r == 0 ? NULL : r == -ERANGE ? range : invalid;
}

/* ---- values ---- */

static const char *
read_count_up_to(uint64_t max, unsigned int *out, struct pvetext value)
{
	uint64_t n = 0;
	int r = pvetext_uint(value, max, &n);

	if (r == 0)
		*out = (unsigned int)n;
	return complaint(r, NO_NUMBER, TOO_LARGE);
}

static const char *
read_count(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return read_count_up_to(COUNT_MAX, member, value);
}

static const char *
read_cpuunits(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return read_count_up_to(CPUUNITS_MAX, member, value);
}

static const char *
read_cpulimit(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return complaint(
		pvetext_number(value, CPULIMIT_MAX, member), NO_NUMBER, TOO_LARGE);
}

static const char *
read_flag(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return complaint(pvetext_bool(value, member), "neither 0 nor 1", NULL);
}

static const char *
read_presence(struct reader *r UNUSED, void *member, struct pvetext value UNUSED)
{
	*(bool *)member = true;
	return NULL;
}

/* "4096" or "current=4096". */
static const char *
read_memory(struct reader *r UNUSED, void *member, struct pvetext value)
{
	struct pvetext current;

	if (pvetext_property(value, "current", true, &current) < 0)
		return NO_NUMBER;
	return complaint(
		pvetext_uint(current, MEMORY_MAX_MIB, member), NO_NUMBER, TOO_LARGE);
}

static const char *
read_affinity(struct reader *r, void *member, struct pvetext value)
{
	int ret = pvetext_set(value, ",", member);

	if (ret == 0)
		r->c.has_affinity = true;
	return complaint(ret, NO_CPUS, "no CPU of any host");
}

static const char *
read_string(char **out, struct pvetext value, size_t max)
{
	char *s = pvetext_dup(value, max);

	if (s == NULL)
		return "too long, or with a NUL byte";
	free(*out);
	*out = s;
	return NULL;
}

static const char *
read_args(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return read_string(member, value, VMCONF_BYTES_MAX);
}

static const char *
read_hookscript(struct reader *r UNUSED, void *member, struct pvetext value)
{
	return read_string(member, value, HOOKSCRIPT_MAX);
}

static const char *
read_lock(struct reader *r UNUSED, void *member, struct pvetext value)
{
	if (value.len >= 2 && value.s[0] == '"' && value.s[value.len - 1] == '"') {
		value.s++;
		value.len -= 2;
	}
	return read_string(member, value, LOCK_MAX);
}

static const char *
read_description(struct reader *r, void *member UNUSED, struct pvetext value)
{
	vmdesc_decode(value, &r->description);
	return NULL;
}

/* Tags that are none do not take the others with them. */
static const char *
read_tags(struct reader *r, void *member UNUSED, struct pvetext value)
{
	size_t n_bad;

	xfree_texts(r->c.tags, r->c.n_tags);
	pvetext_tags(value, VMCONF_TAGS_MAX, &r->c.tags, &r->c.n_tags, &n_bad);
	return n_bad > 0 ? "not all of these are tags, or too many" : NULL;
}

/* ---- numaN ---- */

static int
read_policy(struct pvetext t, enum vmconf_policy *out)
{
	if (pvetext_is(t, "preferred"))
		*out = VMCONF_POLICY_PREFERRED;
	else if (pvetext_is(t, "bind"))
		*out = VMCONF_POLICY_BIND;
	else if (pvetext_is(t, "interleave"))
		*out = VMCONF_POLICY_INTERLEAVE;
	else
		return -EINVAL;
	return 0;
}

/* The optional properties; those that are absent leave @node as it is. */
static const char *
read_node_memory(struct pvetext value, struct vmconf_node *node)
{
	struct pvetext t;
	double mib = 0;
	int r = pvetext_property(value, "memory", false, &t);

	if (r == -EEXIST ||
		(r == 0 && pvetext_number(t, (double)MEMORY_MAX_MIB, &mib) < 0))
		return "memory is not a number";
	node->memory_mib = (uint64_t)mib;
	r = pvetext_property(value, "hostnodes", false, &t);
	if (r == -EEXIST || (r == 0 && pvetext_set(t, ";", &node->host_nodes) < 0))
		return "hostnodes is not a list of nodes";
	r = pvetext_property(value, "policy", false, &t);
	if (r == -EEXIST || (r == 0 && read_policy(t, &node->policy) < 0))
		return "policy is none of preferred, bind, interleave";
	return NULL;
}

static const char *
read_node(struct reader *r, unsigned int id, struct pvetext value)
{
	struct vmconf_node node = {.id = id};
	struct pvetext cpus;
	const char *why;

	if (pvetext_property(value, "cpus", false, &cpus) < 0 ||
		pvetext_set(cpus, ";", &node.vcpus) < 0)
		return "cpus is not a list of vCPUs";
	why = read_node_memory(value, &node);
	if (why != NULL)
		return why;
	r->nodes[id] = node;
	r->has_node[id] = true;
	return NULL;
}

/* ---- hostpciN ---- */

static const char *
read_pci(struct reader *r, unsigned int slot, struct pvetext value)
{
	struct pvetext list = {"", 0};
	struct pvetext rest;
	struct pvetext item;
	char address[PCIADDR_MAX];
	int ret = pvetext_property(value, "host", true, &list);

	if (ret == -EEXIST)
		return "more than one host";
	rest = list; /* empty when it is a mapping */
	while (pvetext_item(&rest, ";", &item)) {
		if (pciaddr_parse(item, address) < 0)
			return "not an address of a PCI device";
	}
	r->pci[slot] = list;
	r->pci_line[slot] = r->line;
	return NULL;
}

static void
list_pci(struct reader *r, unsigned int slot)
{
	struct vmconf *c = &r->c;
	struct pvetext item;
	char address[PCIADDR_MAX];

	while (pvetext_item(&r->pci[slot], ";", &item)) {
		if (pciaddr_parse(item, address) < 0)
			continue;
		if (c->n_pci == VMCONF_PCI_MAX) {
			r->line = r->pci_line[slot];
			warn(r, (struct pvetext){"hostpci", 7}, item,
				"more devices than a VM can have");
			return;
		}
		if (c->pci == NULL)
			c->pci = xcalloc(VMCONF_PCI_MAX, sizeof(*c->pci));
		c->pci[c->n_pci++] = xstrdup(address);
	}
}

/* ---- keys ---- */

#define MEMBER(m) offsetof(struct reader, m)

static const struct {
	const char *key;
	value_reader *read;
	size_t offset;
} keys[] = {
	{"affinity", read_affinity, MEMBER(c.affinity)},
	{"args", read_args, MEMBER(c.args)},
	{"cores", read_count, MEMBER(c.cores)},
	{"cpulimit", read_cpulimit, MEMBER(c.cpulimit)},
	{"cpuunits", read_cpuunits, MEMBER(c.cpuunits)},
	{"description", read_description, 0},
	{"hookscript", read_hookscript, MEMBER(c.hookscript)},
	{"lock", read_lock, MEMBER(c.lock)},
	{"memory", read_memory, MEMBER(c.memory_mib)},
	{"numa", read_flag, MEMBER(c.numa)},
	{"pinning", read_presence, MEMBER(c.pinning)},
	{"smp", read_count, MEMBER(smp)},
	{"sockets", read_count, MEMBER(c.sockets)},
	{"tags", read_tags, 0},
	{"template", read_flag, MEMBER(c.template)},
	{"vcpus", read_count, MEMBER(c.vcpus)},
};

/* N of "numaN", or @limit: it is not that key, or there is no such one. */
static unsigned int
index_of(struct pvetext key, const char *stem, unsigned int limit)
{
	size_t len = strlen(stem);
	struct pvetext digits = {key.s + len, key.len - len};
	uint64_t n = 0;

	if (key.len <= len || memcmp(key.s, stem, len) != 0 ||
		(digits.len > 1 && digits.s[0] == '0') ||
		pvetext_uint(digits, limit - 1, &n) < 0)
		return limit;
	return (unsigned int)n;
}

/* Returns NULL, for keys that do not matter too, or what is wrong. */
static const char *
read_value(struct reader *r, struct pvetext key, struct pvetext value)
{
	unsigned int node = index_of(key, "numa", VMCONF_NODES_MAX);
	unsigned int slot = index_of(key, "hostpci", PCI_SLOTS);

	if (node < VMCONF_NODES_MAX)
		return read_node(r, node, value);
	if (slot < PCI_SLOTS)
		return read_pci(r, slot, value);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (pvetext_is(key, keys[i].key))
			return keys[i].read(r, (char *)r + keys[i].offset, value);
	}
	return NULL;
}

static void
read_line(struct reader *r, struct pvetext line)
{
	struct pvetext key = {line.s, 0};
	struct pvetext value;
	const char *why;

	if (line.len > 0 && line.s[0] == '#') {
		while (line.s[line.len - 1] == '\r')
			line.len--;
		vmdesc_decode(
			(struct pvetext){line.s + 1, line.len - 1}, &r->description);
		strbuf_add(&r->description, "\n", 1);
		return;
	}
	value = pvetext_trim(line);
	if (value.len == 0)
		return;
	if (!pvetext_split(line, &key, &value))
		why = "not of the form 'key: value'";
	else
		why = value.len > 0 ? read_value(r, key, value) : NULL;
	if (why != NULL)
		warn(r, key, value, why);
}

static void
finish(struct reader *r)
{
	struct vmconf *c = &r->c;

	if (c->cores == 0)
		c->cores = 1;
	if (c->sockets == 0)
		c->sockets = r->smp > 0 ? r->smp : 1;
	for (unsigned int id = 0; id < VMCONF_NODES_MAX; id++) {
		if (r->has_node[id])
			c->nodes[c->n_nodes++] = r->nodes[id];
	}
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++)
		list_pci(r, slot);
	c->description = vmdesc_take(&r->description);
}

int
vmconf_parse(const char *text, size_t len, struct vmconf *out)
{
	struct pvetext rest = {text, len};
	struct pvetext line;
	struct reader *r;

	if (len > VMCONF_BYTES_MAX)
		return -E2BIG;
	r = xcalloc(1, sizeof(*r));
	while (pvetext_line(&rest, &line) && !pvetext_is_section(line)) {
		r->line++;
		read_line(r, line);
	}
	finish(r);
	*out = r->c;
	free(r);
	return 0;
}

void
vmconf_fini(struct vmconf *c)
{
	xfree_texts(c->tags, c->n_tags);
	xfree_texts(c->pci, c->n_pci);
	xfree_texts(c->warnings, c->n_warnings);
	free(c->lock);
	free(c->hookscript);
	free(c->args);
	free(c->description);
	*c = (struct vmconf){0};
}
