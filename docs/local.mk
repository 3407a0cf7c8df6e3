# Man pages, made from docs/man/*.scd where scdoc is.
man_sources = docs/man/qmpin.1.scd docs/man/qmpind.8.scd docs/man/qmpin.conf.5.scd \
	docs/man/io.qmpin.7.scd
EXTRA_DIST += $(man_sources) docs/tutorial.md docs/troubleshooting.md

if HAVE_SCDOC
man_MANS = docs/man/qmpin.1 docs/man/qmpind.8 docs/man/qmpin.conf.5 docs/man/io.qmpin.7
CLEANFILES += $(man_MANS)

$(man_MANS): %: %.scd
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
