noinst_LIBRARIES += src/libplace.a
src_libplace_a_SOURCES = \
	src/place/adopt.c src/place/adopt.h \
	src/place/allowance.c src/place/allowance.h \
	src/place/candidates.c src/place/candidates.h \
	src/place/cores.c src/place/cores.h \
	src/place/emulator.c src/place/emulator.h \
	src/place/entry.c src/place/entry.h \
	src/place/exclusive.c src/place/exclusive.h \
	src/place/explain.c src/place/explain.h \
	src/place/float.c src/place/float.h \
	src/place/guest.c src/place/guest.h \
	src/place/harm.c src/place/harm.h \
	src/place/held.c src/place/held.h \
	src/place/mode.c src/place/mode.h \
	src/place/objective.c src/place/objective.h \
	src/place/own.c src/place/own.h \
	src/place/pick.c src/place/pick.h \
	src/place/pin.c src/place/pin.h \
	src/place/planner.c src/place/planner.h \
	src/place/replay.c src/place/replay.h \
	src/place/score.c src/place/score.h \
	src/place/settled.c src/place/settled.h \
	src/place/tree.c src/place/tree.h \
	src/place/wait.c src/place/wait.h \
	src/place/why.c src/place/why.h \
	src/place/world.c src/place/world.h

# Hosts and VMs for tests of the planner.
PLACE_FLEET = tests/unit/fleet.c tests/unit/fleet.h tests/unit/hosts.c tests/unit/hosts.h

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_mode
tests_unit_test_mode_SOURCES = tests/unit/test_mode.c
tests_unit_test_mode_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_mode_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner
tests_unit_test_planner_SOURCES = tests/unit/test_planner.c $(PLACE_FLEET)
tests_unit_test_planner_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_core
tests_unit_test_planner_core_SOURCES = tests/unit/test_planner_core.c $(PLACE_FLEET)
tests_unit_test_planner_core_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_core_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_exclusive
tests_unit_test_planner_exclusive_SOURCES = tests/unit/test_planner_exclusive.c $(PLACE_FLEET)
tests_unit_test_planner_exclusive_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_exclusive_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_exclusive_properties
tests_unit_test_planner_exclusive_properties_SOURCES = \
	tests/unit/test_planner_exclusive_properties.c $(PLACE_FLEET)
tests_unit_test_planner_exclusive_properties_CPPFLAGS = $(AM_CPPFLAGS) \
	-I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS)
tests_unit_test_planner_exclusive_properties_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_golden
tests_unit_test_planner_golden_SOURCES = tests/unit/test_planner_golden.c $(PLACE_FLEET)
tests_unit_test_planner_golden_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_golden_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_isolated
tests_unit_test_planner_isolated_SOURCES = tests/unit/test_planner_isolated.c $(PLACE_FLEET)
tests_unit_test_planner_isolated_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_isolated_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_measured
tests_unit_test_planner_measured_SOURCES = tests/unit/test_planner_measured.c $(PLACE_FLEET)
tests_unit_test_planner_measured_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_measured_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_properties
tests_unit_test_planner_properties_SOURCES = tests/unit/test_planner_properties.c \
	$(PLACE_FLEET)
tests_unit_test_planner_properties_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_planner_properties_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_wait
tests_unit_test_wait_SOURCES = tests/unit/test_wait.c
tests_unit_test_wait_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wait_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)
endif
EXTRA_DIST += tests/data/place

# A benchmark, built by "make check" so that it keeps compiling, run by hand.
check_PROGRAMS += tests/bench/bench_place
tests_bench_bench_place_SOURCES = tests/bench/bench_place.c $(PLACE_FLEET)
tests_bench_bench_place_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_bench_bench_place_LDADD = $(LINK_PLACE)

bench-place: tests/bench/bench_place
	tests/bench/bench_place

.PHONY: bench-place
