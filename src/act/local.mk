noinst_LIBRARIES += src/libact.a
src_libact_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libact_a_SOURCES = \
	src/act/affinity.c src/act/affinity.h \
	src/act/bootid.c src/act/bootid.h \
	src/act/owner.c src/act/owner.h \
	src/act/pagemove.c src/act/pagemove.h \
	src/act/ramlist.c src/act/ramlist.h \
	src/act/record.c src/act/record.h \
	src/act/record_parse.c src/act/record_text.h \
	src/act/record_wish.c src/act/record_wish.h \
	src/act/recorddir.c src/act/recorddir.h \
	src/act/statefile.c src/act/statefile.h

migratedir = $(libexecdir)/qmpin
migrate_PROGRAMS = src/qmpin-migrate
src_qmpin_migrate_SOURCES = src/act/main.c
src_qmpin_migrate_LDADD = $(LINK_ACT)

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_pagemove
tests_unit_test_pagemove_SOURCES = tests/unit/test_pagemove.c
tests_unit_test_pagemove_LDADD = $(LINK_ACT) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_pagemove_DEPENDENCIES = src/qmpin-migrate$(EXEEXT)
UNIT_TESTS += tests/unit/test_affinity tests/unit/test_affinity_reuse tests/unit/test_bootid \
	tests/unit/test_owner tests/unit/test_record \
	tests/unit/test_record_file tests/unit/test_threads_qemu

# with vm for the start times only, as the daemon supplies them
tests_unit_test_affinity_SOURCES = tests/unit/test_affinity.c tests/unit/procs.c
tests_unit_test_affinity_LDADD = src/libvm.a $(LINK_ACT) $(CMOCKA_LIBS)

tests_unit_test_affinity_reuse_SOURCES = tests/unit/test_affinity_reuse.c
tests_unit_test_affinity_reuse_LDADD = src/libvm.a $(LINK_ACT)

tests_unit_test_bootid_SOURCES = tests/unit/test_bootid.c
tests_unit_test_bootid_LDADD = $(LINK_ACT) $(CMOCKA_LIBS)

tests_unit_test_owner_SOURCES = tests/unit/test_owner.c tests/unit/procs.c
tests_unit_test_owner_LDADD = $(LINK_ACT) $(CMOCKA_LIBS)

tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/unit/record103.h
tests_unit_test_record_LDADD = $(LINK_ACT) $(CMOCKA_LIBS)

tests_unit_test_record_file_SOURCES = tests/unit/test_record_file.c tests/unit/procs.c
tests_unit_test_record_file_LDADD = $(LINK_ACT) $(CMOCKA_LIBS)

# vm and act together on a real QEMU
tests_unit_test_threads_qemu_SOURCES = tests/unit/test_threads_qemu.c tests/unit/procs.c
tests_unit_test_threads_qemu_LDADD = src/libvm.a $(LINK_ACT) $(EVENT_LIBS) $(CMOCKA_LIBS)

# Ids that are taken again at once, in a pid namespace: make check-reuse APPLICATIONS=1000000
APPLICATIONS = 1000000
check-reuse: tests/unit/test_affinity_reuse
	QMPIN_REUSE_APPLICATIONS=$(APPLICATIONS) tests/unit/test_affinity_reuse
endif
.PHONY: check-reuse

FUZZERS += tests/fuzz/fuzz_record
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_record_LDADD = $(LINK_ACT)
EXTRA_DIST += tests/fuzz/corpus/record
