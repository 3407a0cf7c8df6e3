// SPDX-License-Identifier: MIT
/*
 * A host of which CPUs go and come: the model is made of the facts that are left, the
 * tiers of the latencies between them.
 */
#include "config.h"

#include "cli/planhost.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/lathost.h"
#include "cli/out.h"
#include "host/load.h"
#include "topo/lat.h"

static enum cmd_exit
open_this(struct planhost *h)
{
	struct err e = ERR_NONE;

	if (host_load(NULL, &h->topo, &e) == 0) {
		h->own = true;
		return CMD_OK;
	}
	out_error(&e);
	return CMD_FAILED;
}

enum cmd_exit
planhost_open(const struct args *args, struct planhost *out)
{
	struct planhost h = {.topo = NULL};
	enum cmd_exit r;

	if (args->topology == NULL && args->latency == NULL) {
		r = open_this(&h);
		if (r == CMD_OK)
			*out = h;
		return r;
	}
	r = latsource_open(args, &h.source);
	if (r != CMD_OK)
		return r;
	if (args->latency != NULL)
		h.measured = h.source.latency.matrix;
	h.topo = h.source.topo;
	if (h.topo == NULL) {
		struct cpuset cpus = matrix_cpus(h.measured);

		h.topo = lathost_bare(&cpus);
		h.own = true;
	}
	*out = h;
	return CMD_OK;
}

void
planhost_close(struct planhost *h)
{
	if (h->own)
		topo_free(h->topo);
	latsource_close(&h->source);
	*h = (struct planhost){.topo = NULL};
}

static void
rank_by_class(const struct topo *t, struct ranking **ranking, float **ns)
{
	*ns = lat_class_matrix(t, lat_classes_default());
	*ranking = ranking_from_topo(t, &(struct lat_view){*ns, t->n_pus});
}

static void
rank_by_matrix(const struct topo *t, const struct matrix *all, struct ranking **ranking,
	float **ns)
{
	struct matrix *m = matrix_select(all, &t->online);

	*ns = lat_measured_matrix(t, lat_classes_default(), m);
	*ranking = ranking_from_matrix(t, m, &(struct lat_view){*ns, t->n_pus});
	matrix_free(m);
	if ((*ranking)->trusted)
		return;
	ranking_free(*ranking);
	free(*ns);
	rank_by_class(t, ranking, ns);
}

int
planhost_without(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e)
{
	const struct planhost *h = owner;
	struct cpuset left = cpuset_minus(&h->topo->online, offline);

	if (cpuset_empty(&left))
		return err_set(e, -EINVAL, NULL, 0, "no CPU is left");
	*topo = lathost_part(h->topo, &left);
	if (h->measured != NULL)
		rank_by_matrix(*topo, h->measured, ranking, ns);
	else
		rank_by_class(*topo, ranking, ns);
	return 0;
}
