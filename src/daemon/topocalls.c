// SPDX-License-Identifier: MIT
/* Method GetTopology: the model that is planned with; its shape is ctl/topology's. */
#include "config.h"

#include "daemon/topocalls.h"

#include "ctl/server.h"
#include "ctl/topology.h"
#include "daemon/engine.h"

void
topocalls_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct engine *e = owner;

	(void)params;
	ctl_reply(
		call, ctl_topology_json(e->host.topo, &e->config.reserved_cpus), false);
}
