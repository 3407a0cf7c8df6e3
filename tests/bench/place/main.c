// SPDX-License-Identifier: MIT
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policies.h"

int
main(int argc, char **argv)
{
	static const struct policy *const all[] = {&policy_unpinned, &policy_random, &policy_nearest,
		&policy_rfc_numa, &policy_rfc_one, &policy_numad, &policy_kubelet, &policy_planner, &policy_float, &policy_rebalance, &policy_anneal};
	static const struct scenario_band bands[] = {{40, 150}, {200, 350}};
	struct bench_hosts hosts = bench_hosts_load(true);
	struct tune tune = tune_default();
	unsigned int seeds = argc > 2 ? (unsigned)atoi(argv[2]) : 3;
	unsigned int events = argc > 3 ? (unsigned)atoi(argv[3]) : 80;

	for (unsigned h = 0; h < hosts.n; h++) {
		const struct bench_host *host = &hosts.hosts[h];
		if (argc > 1 && strstr(host->name, argv[1]) == NULL) continue;
		for (int b = 0; b < 2; b++) {
			struct score sc[11] = {0};
			printf("%s, load %u-%u %%\n", host->name, bands[b].low_pct, bands[b].high_pct);
			for (unsigned k = 0; k < 11; k++) {
				for (unsigned seed = 1; seed <= seeds; seed++) {
					struct scenario s = scenario_make(host->topo, &bands[b], seed, events);
					run_scenario(all[k], host, &tune, &s, &sc[k]);
					scenario_fini(&s);
				}
			}
			printf("  %-10s %6s %6s", "policy", "J", "ratio");
			for (int m = 1; m < N_MEASURES; m++) printf(" %7s", judge_measure_name((enum measure)m));
			printf(" %7s %6s %6s %6s\n", "w95all", "moved", "refus", "ms/ev");
			for (unsigned k = 0; k < 11; k++) {
				printf("%s %-10s %6.3f %6.3f", score_meets(&sc[k]) ? " " : "*", all[k]->name, score_mean(&sc[k], MEASURE_J),
					score_mean(&sc[k], MEASURE_J) / score_mean(&sc[5], MEASURE_J));
				for (int m = 1; m < N_MEASURES; m++) printf(" %7.4f", score_mean(&sc[k], (enum measure)m));
				printf(" %7.4f %6.2f %6u %6.2f\n", score_p95(&sc[k]), sc[k].moved / sc[k].steps, sc[k].refused, sc[k].ms / sc[k].steps);
			}
			for (int k = 0; k < 11; k++) score_fini(&sc[k]);
		}
	}
	bench_hosts_fini(&hosts);
	return 0;
}
