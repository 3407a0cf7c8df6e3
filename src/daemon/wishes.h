// SPDX-License-Identifier: MIT
/*
 * What VMs say about themselves in their configuration, what of that counts, and what
 * counts in the end: here the files, the VM's own word and built-in rules meet, from
 * weakest to strongest
 *
 *     default < cluster < config < tag < description < [vm ID]
 *
 * and by hand, which is vmmode.h's. Of a configuration only what counts is kept. One
 * that goes while its QEMU runs says what it said last: nothing is touched because a
 * file has gone.
 */
#ifndef QMPIN_DAEMON_WISHES_H
#define QMPIN_DAEMON_WISHES_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/settings.h"
#include "place/mode.h"
#include "pve/optin.h"
#include "topo/cpuset.h"

struct engine;
struct pvewatch;
struct vm;

/* numaN: the host nodes that a node of the guest is bound to. */
struct wishes_node {
	unsigned int id;
	struct cpuset host_nodes;
};

/* Of one VM. Zeroed nothing is known of it. Pointers are owned, NULL: nothing. */
struct wishes {
	bool read;	    /* its configuration was, once */
	bool recalled;	    /* it was by an earlier daemon: see recall.h */
	bool unheard;	    /* neither, and the last plan has left it alone for that */
	bool unkept;	    /* the record is to have it, and could not be written */
	char *description;  /* lines that name us */
	size_t n_tags;	    /* the same */
	char **tags;	    /* lower case */
	struct optin optin; /* what of them is allowed */
	bool pinning;	    /* another program is told to pin it */
	struct cpuset *affinity;
	size_t n_nodes;
	struct wishes_node *nodes;
	struct cpuset *passed;	       /* nodes of its devices, by the configuration */
	struct cpuset *passed_started; /* the same by the command line of its process */
	bool looked;		       /* at that */
	char *odd;    /* the first thing that was not understood, safe to print */
	char *unread; /* why the file as it is now was not read */
};

/* Of all of them. Zeroed there are no configurations. */
struct wishing {
	struct pvewatch *watch; /* borrowed */
	bool settled;		/* the first answers are there, or come late */
	const char *root;	/* where devices are; NULL: at another host */
	size_t n_registered;
	char **registered;  /* tags; owned */
	char bad_conf[512]; /* why the cluster's settings are older; "": they are not */
	char trouble[512];  /* why all that was read is older; "": it is not */
};

/** The mode by all but the hand, and where it comes from (@origin may be NULL). */
enum place_mode wishes_mode(
	const struct engine *e, const struct vm *vm, enum settings_origin *origin);
enum place_smt wishes_smt(const struct engine *e, const struct vm *vm);
enum place_emulator wishes_emulator(const struct engine *e, const struct vm *vm);

/** Its configuration is not known yet but may be in time: it is not to be touched. */
bool wishes_wait(const struct engine *e, const struct vm *vm);

/** Why it has mode off, if it is not for the mode of a file; static, or NULL. */
const char *wishes_why_off(const struct engine *e, const struct vm *vm);

/** What it asked for and may not, and why; lives as long as nothing is read, or NULL.
 */
const char *wishes_refused(const struct vm *vm);

/* What is told of a VM that is only observed as another program is to pin it. */
#define WISHES_ANOTHER_S \
	"only observed: 'pinning:' in its configuration is another program's"
bool wishes_is_another_s(const struct engine *e, const struct vm *vm);

/** "mode float (tag), smt isolate, affinity 0-7". New text. */
char *wishes_text(const struct engine *e, const struct vm *vm);

/** What should be known of its configuration, as a new string; NULL: nothing. */
char *wishes_note(const struct engine *e, const struct vm *vm);

/** affinity: of its configuration; NULL: none. Lives as long as nothing is read. */
const struct cpuset *wishes_affinity(const struct vm *vm);
/** Host nodes of a guest node, by its configuration; empty: none. */
struct cpuset wishes_host_nodes(const struct vm *vm, unsigned int guest_node);
/** Nodes of its passed-through devices. */
struct cpuset wishes_pci_nodes(const struct vm *vm);

/** A copy as in struct wishes; NULL: it is empty. */
struct cpuset *wishes_keep(const struct cpuset *set);

/** A VM has come, is surveyed, has another process, goes. */
void wishes_ask(struct engine *e, struct vm *vm);
void wishes_look(const struct engine *e, struct vm *vm);
void wishes_forget_process(struct wishes *w);
void wishes_lost(struct engine *e, struct vm *vm);
void wishes_forget_config(struct wishes *w);
void wishes_fini(struct wishes *w);

void wishes_forget_registered(struct wishing *w);

#endif
