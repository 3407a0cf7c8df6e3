// SPDX-License-Identifier: MIT
/* The hosts of the benchmark: made up, measured, or as real firmware tells. */
#ifndef QMPIN_BENCH_HOST_H
#define QMPIN_BENCH_HOST_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/lat.h"
#include "topo/matrix.h"
#include "topo/model.h"
#include "topo/ranking.h"

struct bench_host {
	char *name;
	struct topo *topo;
	float *ns;
	struct matrix *matrix; /* NULL: latencies of the class model */
	bool usual;	       /* in the default run */
};

struct bench_hosts {
	unsigned int n;
	struct bench_host *hosts;
};

/** All that there are: real matrices and trees where QMPIN_SHARED tells of some. */
struct bench_hosts bench_hosts_load(bool real);
void bench_hosts_fini(struct bench_hosts *h);

struct lat_view bench_host_lat(const struct bench_host *h);

/** The host without some CPUs; replay_host_fn, @owner is a struct bench_host. */
int bench_host_make(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e);

#endif
