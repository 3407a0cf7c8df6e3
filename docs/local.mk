# Documents, at the place where README.md links to them; man pages, made from docs/man/*.scd
# where scdoc is.
docdocsdir = $(docdir)/docs
dist_docdocs_DATA = docs/architecture.md docs/faults.md docs/latency.md docs/measured.md \
	docs/memory.md docs/metrics.md docs/monitor-sharing.md docs/plan.md docs/planner.md \
	docs/proxmox.md docs/quality.md docs/troubleshooting.md docs/tutorial.md
man_sources = docs/man/qmpin.1.scd docs/man/qmpind.8.scd docs/man/qmpin.conf.5.scd \
	docs/man/io.qmpin.7.scd
EXTRA_DIST += $(man_sources)

if HAVE_SCDOC
man_MANS = docs/man/qmpin.1 docs/man/qmpind.8 docs/man/qmpin.conf.5 docs/man/io.qmpin.7
CLEANFILES += $(man_MANS)

$(man_MANS): %: %.scd
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
