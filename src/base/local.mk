noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/attr.h \
	src/base/budget.c src/base/budget.h \
	src/base/checks.c src/base/checks.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h \
	src/base/hash.c src/base/hash.h \
	src/base/io.c src/base/io.h \
	src/base/json.c src/base/json.h \
	src/base/lineframe.c src/base/lineframe.h \
	src/base/log.c src/base/log.h \
	src/base/pidfd.c src/base/pidfd.h \
	src/base/str.c src/base/str.h \
	src/base/xalloc.c src/base/xalloc.h

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_budget \
	tests/unit/test_checks \
	tests/unit/test_err \
	tests/unit/test_json \
	tests/unit/test_lineframe \
	tests/unit/test_str \
	tests/unit/test_xalloc
tests_unit_test_budget_SOURCES = tests/unit/test_budget.c
tests_unit_test_budget_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_checks_SOURCES = tests/unit/test_checks.c
tests_unit_test_checks_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_err_SOURCES = tests/unit/test_err.c
tests_unit_test_err_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_lineframe_SOURCES = tests/unit/test_lineframe.c
tests_unit_test_lineframe_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_str_SOURCES = tests/unit/test_str.c
tests_unit_test_str_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_xalloc_SOURCES = tests/unit/test_xalloc.c
tests_unit_test_xalloc_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_escape
tests_fuzz_fuzz_escape_SOURCES = tests/fuzz/fuzz_escape.c $(FUZZ_MAIN)
tests_fuzz_fuzz_escape_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ) -Wl,--wrap=access -Wl,--wrap=sendto
tests_fuzz_fuzz_escape_LDADD = $(LINK_BASE)
EXTRA_DIST += tests/fuzz/corpus/escape
