noinst_LIBRARIES += src/libpve.a
src_libpve_a_SOURCES = \
	src/pve/optin.c src/pve/optin.h \
	src/pve/pciaddr.c src/pve/pciaddr.h \
	src/pve/pinners.c src/pve/pinners.h \
	src/pve/pvetext.c src/pve/pvetext.h \
	src/pve/vmconf.c src/pve/vmconf.h \
	src/pve/vmdesc.c src/pve/vmdesc.h

# reading /etc/pve
src_libpve_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libpve_a_SOURCES += \
	src/pve/pvefeed.c src/pve/pvefeed.h \
	src/pve/pvefiles.c src/pve/pvefiles.h \
	src/pve/subjects.c src/pve/subjects.h \
	src/pve/vmlist.c src/pve/vmlist.h

pvedir = $(libexecdir)/qmpin
pve_PROGRAMS = src/qmpin-pve
src_qmpin_pve_SOURCES = src/pve/main.c
src_qmpin_pve_LDADD = $(LINK_PVE)

if HAVE_CMOCKA

UNIT_TESTS += tests/unit/test_optin
tests_unit_test_optin_SOURCES = tests/unit/test_optin.c
tests_unit_test_optin_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_pinners
tests_unit_test_pinners_SOURCES = tests/unit/test_pinners.c
tests_unit_test_pinners_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_pvefeed tests/unit/test_vmlist
tests_unit_test_pvefeed_SOURCES = tests/unit/test_pvefeed.c tests/unit/mutate.h
tests_unit_test_pvefeed_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)
tests_unit_test_vmlist_SOURCES = tests/unit/test_vmlist.c tests/unit/mutate.h
tests_unit_test_vmlist_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_pvetext
tests_unit_test_pvetext_SOURCES = tests/unit/test_pvetext.c
tests_unit_test_pvetext_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_vmconf
tests_unit_test_vmconf_SOURCES = tests/unit/test_vmconf.c
tests_unit_test_vmconf_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_vmconf_corpus
tests_unit_test_vmconf_corpus_SOURCES = tests/unit/test_vmconf_corpus.c
tests_unit_test_vmconf_corpus_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

# What is understood of the configurations, into the source tree.
golden-pve: tests/unit/test_vmconf_corpus
	srcdir=$(srcdir) QMPIN_GOLDEN_OUT=$(abs_srcdir)/tests/data/pve \
		tests/unit/test_vmconf_corpus
endif
.PHONY: golden-pve
EXTRA_DIST += tests/data/pve

FUZZERS += tests/fuzz/fuzz_optin
tests_fuzz_fuzz_optin_SOURCES = tests/fuzz/fuzz_optin.c $(FUZZ_MAIN)
tests_fuzz_fuzz_optin_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_optin_LDADD = $(LINK_PVE)
EXTRA_DIST += tests/fuzz/corpus/optin

FUZZERS += tests/fuzz/fuzz_vmconf
tests_fuzz_fuzz_vmconf_SOURCES = tests/fuzz/fuzz_vmconf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_vmconf_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_vmconf_LDADD = $(LINK_PVE)
EXTRA_DIST += tests/fuzz/corpus/vmconf

FUZZERS += tests/fuzz/fuzz_pve_feed
tests_fuzz_fuzz_pve_feed_SOURCES = tests/fuzz/fuzz_pve_feed.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pve_feed_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_pve_feed_LDADD = $(LINK_PVE)
EXTRA_DIST += tests/fuzz/corpus/pve_feed

FUZZERS += tests/fuzz/fuzz_pve_files
tests_fuzz_fuzz_pve_files_SOURCES = tests/fuzz/fuzz_pve_files.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pve_files_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_pve_files_LDADD = $(LINK_PVE)
EXTRA_DIST += tests/fuzz/corpus/pve_files
