// SPDX-License-Identifier: MIT
/*
 * JSON as pmxcfs prints it, and nothing of it trusted: a node's name becomes part of a
 * path.
 */
#include "config.h"

#include "pve/vmlist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define NUMBER_MAX (UINT64_C(1) << 53)

int
vmlist_stamp_parse(const char *text, size_t len, struct vmlist_stamp *out)
{
	static const struct json_caps caps = {65536, 4, 4096};
	auto_json json_t *root = NULL;
	struct vmlist_stamp stamp;

	if (json_parse_object(text, len, &caps, &root, NULL) < 0 ||
		json_get_uint(root, "starttime", NUMBER_MAX, &stamp.start) < 0 ||
		json_get_uint(root, "vmlist", NUMBER_MAX, &stamp.count) < 0)
		return -EBADMSG;
	*out = stamp;
	return 0;
}

int
vmlist_parse(const char *text, size_t len, struct vmlist *out)
{
	/* three members each, of more VMs than a cluster has */
	static const struct json_caps caps = {VMLIST_BYTES_MAX, 4, 400000};
	auto_json json_t *root = NULL;
	json_t *ids;

	if (json_parse_object(text, len, &caps, &root, NULL) < 0 ||
		json_get_object(root, "ids", &ids) < 0)
		return -EBADMSG;
	*out = (struct vmlist){json_incref(root), ids};
	return 0;
}

void
vmlist_fini(struct vmlist *l)
{
	json_decref(l->root);
	*l = (struct vmlist){NULL, NULL};
}

static bool
is_node_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t len = strlen(name);

	return len > 0 && len < VMLIST_NODE_MAX && strspn(name, allowed) == len;
}

int
vmlist_find(const struct vmlist *l, unsigned int vmid, struct vmlist_place *out)
{
	char key[16];
	json_t *entry;
	const char *node;
	uint64_t version;
	int r;

	(void)snprintf(key, sizeof(key), "%u", vmid);
	r = json_get_object(l->ids, key, &entry);
	if (r == -ENOENT)
		return r;
	if (r < 0 || json_get_string(entry, "node", &node) < 0 || !is_node_name(node) ||
		json_get_uint(entry, "version", NUMBER_MAX, &version) < 0)
		return -EBADMSG;
	str_copy(out->node, sizeof(out->node), node);
	out->version = version;
	return 0;
}
