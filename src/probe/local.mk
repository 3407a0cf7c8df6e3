noinst_LIBRARIES += src/libprobe.a
src_libprobe_a_SOURCES = \
	src/probe/cache.c src/probe/cache.h src/probe/cache_parse.c src/probe/cache_text.h \
	src/probe/cachefile.c src/probe/cachefile.h \
	src/probe/child.c src/probe/child.h \
	src/probe/latcsv.c src/probe/latcsv.h \
	src/probe/latfile.c src/probe/latfile.h \
	src/probe/latjson.c src/probe/latjson.h \
	src/probe/lattable.c src/probe/lattable.h \
	src/probe/number.c src/probe/number.h \
	src/probe/meter.c src/probe/meter.h \
	src/probe/pace.c src/probe/pace.h \
	src/probe/schedule.c src/probe/schedule.h \
	src/probe/wire.c src/probe/wire.h
src_libprobe_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) \
	-DPROBE_PROGRAM='"$(probedir)/qmpin-probe"'

probedir = $(libexecdir)/qmpin
probe_PROGRAMS = src/qmpin-probe
src_qmpin_probe_SOURCES = src/probe/main.c
src_qmpin_probe_LDADD = $(LINK_PROBE)

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_cache \
	tests/unit/test_cache_damage \
	tests/unit/test_cachefile \
	tests/unit/test_latfile
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c tests/unit/cache_texts.h \
	tests/unit/layouts.h
tests_unit_test_cache_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cache_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_cache_damage_SOURCES = tests/unit/test_cache_damage.c \
	tests/unit/cache_texts.h tests/unit/mutate.h
tests_unit_test_cache_damage_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cache_damage_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_cachefile_SOURCES = tests/unit/test_cachefile.c \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_cachefile_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cachefile_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_latfile_SOURCES = tests/unit/test_latfile.c
tests_unit_test_latfile_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_latfile_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_cache tests/fuzz/fuzz_latfile
tests_fuzz_fuzz_cache_SOURCES = tests/fuzz/fuzz_cache.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cache_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_cache_LDADD = $(LINK_PROBE)
tests_fuzz_fuzz_latfile_SOURCES = tests/fuzz/fuzz_latfile.c $(FUZZ_MAIN)
tests_fuzz_fuzz_latfile_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_latfile_LDADD = $(LINK_PROBE)
EXTRA_DIST += tests/fuzz/corpus/cache tests/fuzz/corpus/latfile
EXTRA_DIST += docs/latency.md
