# The service: its unit is made at build time, as only make knows ${sbindir}.
systemdsystemunit_DATA = contrib/systemd/qmpind.service
sysusersdir = $(prefix)/lib/sysusers.d
catalogdir = $(prefix)/lib/systemd/catalog
dist_example_DATA += contrib/systemd/sock-diag.conf \
	contrib/systemd/memory-migrate.conf
dist_sysusers_DATA = contrib/sysusers.d/qmpin.conf
# journalctl --update-catalog takes it up
dist_catalog_DATA = contrib/systemd/qmpin.catalog
EXTRA_DIST += contrib/systemd/qmpind.service.in tests/lint/unit-security
CLEANFILES += contrib/systemd/qmpind.service
TESTS += tests/lint/unit-security

contrib/systemd/qmpind.service: contrib/systemd/qmpind.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && \
	sed -e 's|[@]sbindir@|$(sbindir)|' -e 's|[@]docdir@|$(docdir)|' \
		$(srcdir)/contrib/systemd/qmpind.service.in >$@.tmp && mv $@.tmp $@
