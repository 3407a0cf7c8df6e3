# The virtual host: what needs longer than tests/lab/check-lab may take, some 15 minutes.
# On 32 CPUs, and on the kernel of Debian 13. LAB_RUNS: how often what is measured is done.
LAB_RUNS = 20
check-lab-long: all
	QMPIN_BUILD='$(abs_top_builddir)' && LAB_TIMEOUT=1500 && export QMPIN_BUILD LAB_TIMEOUT && \
	for cpus in 16 32; do for suite in bookworm trixie; do \
		echo "=== $$suite, $$cpus CPUs"; \
		LAB_SUITE=$$suite $(top_srcdir)/tests/lab/check-lab --cpus $$cpus \
			busy-day --runs $(LAB_RUNS) || exit; \
	done; done; \
	for suite in bookworm trixie; do for scenario in first-path isolated.sh memory.sh; do \
		echo "=== $$suite, $$scenario"; \
		LAB_SUITE=$$suite $(top_srcdir)/tests/lab/check-lab $$scenario || exit; \
	done; done

# The Debian package in the virtual host of its release: installed, upgraded to a higher
# version, rebooted, removed, purged.
check-package: deb
	set -e; for suite in $(SUITES); do \
		QMPIN_DEBS=$(abs_top_builddir)/deb/$$suite QMPIN_BUILD='$(abs_top_builddir)' \
			LAB_TIMEOUT=$${LAB_TIMEOUT:-1800} LAB_SUITE=$$suite \
			$(top_srcdir)/tests/lab/check-lab package.sh; \
	done

.PHONY: check-lab-long check-package
