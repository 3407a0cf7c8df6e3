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
	src/pve/vmlist.c src/pve/vmlist.h

pvedir = $(libexecdir)/qmpin
pve_PROGRAMS = src/qmpin-pve
src_qmpin_pve_SOURCES = src/pve/main.c
src_qmpin_pve_LDADD = $(LINK_PVE)

if HAVE_CMOCKA

UNIT_TESTS += tests/unit/test_pinners
tests_unit_test_pinners_SOURCES = tests/unit/test_pinners.c
tests_unit_test_pinners_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_pvefeed tests/unit/test_vmlist
tests_unit_test_pvefeed_SOURCES = tests/unit/test_pvefeed.c tests/unit/mutate.h
tests_unit_test_pvefeed_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)
tests_unit_test_vmlist_SOURCES = tests/unit/test_vmlist.c tests/unit/mutate.h
tests_unit_test_vmlist_LDADD = $(LINK_PVE) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_pve_feed
tests_fuzz_fuzz_pve_feed_SOURCES = tests/fuzz/fuzz_pve_feed.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pve_feed_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_pve_feed_LDADD = $(LINK_PVE)
EXTRA_DIST += tests/fuzz/corpus/pve_feed
