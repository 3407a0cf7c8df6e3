// SPDX-License-Identifier: MIT
/*
 * Written by hand and not by way of jansson: a line about a thousand VMs has a million
 * numbers. A list that is equal to the one before, as those of a VM's vCPUs mostly are,
 * is not made again.
 */
#include "config.h"

#include "cli/placement.h"

#include <stdio.h>

/* The list made last. */
struct list {
	struct cpuset set;
	struct strbuf text; /* empty: none yet */
};

static void
add_uint(struct strbuf *out, unsigned int n)
{
	char digits[12];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	strbuf_add(out, digits + at, sizeof(digits) - at);
}

static void
make_list(struct list *l, const struct cpuset *set)
{
	l->set = *set;
	strbuf_drop(&l->text, l->text.len);
	strbuf_adds(&l->text, "[");
	cpuset_foreach (n, set) {
		if (l->text.len > 1)
			strbuf_adds(&l->text, ",");
		add_uint(&l->text, n);
	}
	strbuf_adds(&l->text, "]");
}

static void
add_list(struct list *l, const struct cpuset *set, struct strbuf *out)
{
	if (l->text.len == 0 || !cpuset_equal(&l->set, set))
		make_list(l, set);
	strbuf_add(out, l->text.s, l->text.len);
}

/* Reasons are our own words, but may quote others. */
static void
add_string(struct strbuf *out, const char *text)
{
	strbuf_adds(out, "\"");
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			strbuf_addf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			strbuf_addf(out, "\\u%04x", (unsigned int)c);
		else
			strbuf_add(out, text, 1);
	}
	strbuf_adds(out, "\"");
}

/* Where the memory of each guest node is to be. */
static void
add_memory(const struct plan_vm *vm, struct list *l, struct strbuf *out)
{
	bool bound = false;

	for (unsigned int i = 0; i < vm->n_guest_nodes; i++)
		bound |= !cpuset_empty(&vm->guest_nodes[i].host_nodes);
	if (!bound) {
		strbuf_adds(out, "null");
		return;
	}
	for (unsigned int i = 0; i < vm->n_guest_nodes; i++) {
		const struct cpuset *nodes = &vm->guest_nodes[i].host_nodes;

		strbuf_adds(out, i == 0 ? "[" : ",");
		if (cpuset_empty(nodes))
			strbuf_adds(out, "null");
		else
			add_list(l, nodes, out);
	}
	strbuf_adds(out, "]");
}

static void
add_vm(const struct replay *r, unsigned int i, struct list *l, struct strbuf *out)
{
	const struct plan_vm *vm = &replay_input(r)->vms[i];
	struct cpuset set;

	add_string(out, vm->id);
	strbuf_adds(out, ":{\"vcpus\":[");
	for (unsigned int v = 0; v < vm->n_vcpus; v++) {
		set = replay_mask(r, i, v);
		if (v > 0)
			strbuf_adds(out, ",");
		add_list(l, &set, out);
	}
	strbuf_adds(out, "],\"emu\":");
	set = replay_emulator(r, i);
	add_list(l, &set, out);
	strbuf_adds(out, ",\"mem\":");
	add_memory(vm, l, out);
	strbuf_adds(out, ",\"why\":");
	add_string(out, replay_plan(r)->results[i].why);
	strbuf_adds(out, "}");
}

void
placement_write(const struct replay *r, struct strbuf *out)
{
	unsigned int n = replay_input(r)->n_vms;
	struct list l = {.set = CPUSET_NONE};

	strbuf_adds(out, "{\"vms\":{");
	for (unsigned int i = 0; i < n; i++) {
		if (i > 0)
			strbuf_adds(out, ",");
		add_vm(r, i, &l, out);
	}
	strbuf_adds(out, "}}\n");
	strbuf_fini(&l.text);
}
