// SPDX-License-Identifier: MIT
/* The host as decisions need it: topology, class latencies, tiers. */
#include "config.h"

#include "daemon/hostmodel.h"

#include <stdlib.h>

#include "host/load.h"

int
hostmodel_load(const char *path, struct hostmodel *out, struct err *e)
{
	struct hostmodel h = {0};
	struct lat_view view;
	int r;

	r = host_load(path, &h.topo, e);
	if (r < 0)
		return r;
	h.latency_ns = lat_class_matrix(h.topo, lat_classes_default());
	view = hostmodel_latency(&h);
	h.ranking = ranking_from_topo(h.topo, &view);
	*out = h;
	return 0;
}

void
hostmodel_fini(struct hostmodel *h)
{
	ranking_free(h->ranking);
	free(h->latency_ns);
	topo_free(h->topo);
	*h = (struct hostmodel){0};
}

struct lat_view
hostmodel_latency(const struct hostmodel *h)
{
	return (struct lat_view){h->latency_ns, h->topo->n_pus};
}
