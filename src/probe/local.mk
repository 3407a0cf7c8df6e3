noinst_LIBRARIES += src/libprobe.a
src_libprobe_a_SOURCES = \
	src/probe/belief.c src/probe/belief.h \
	src/probe/blocks.c src/probe/blocks.h \
	src/probe/cache.c src/probe/cache.h \
	src/probe/cachefile.c src/probe/cachefile.h \
	src/probe/child.c src/probe/child.h \
	src/probe/infer.c src/probe/infer.h \
	src/probe/latfile.c src/probe/latfile.h \
	src/probe/meter.c src/probe/meter.h \
	src/probe/pace.c src/probe/pace.h \
	src/probe/pairs.c src/probe/pairs.h \
	src/probe/round.c src/probe/round.h \
	src/probe/schedule.c src/probe/schedule.h \
	src/probe/wire.c src/probe/wire.h
src_libprobe_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) \
	-DPROBE_PROGRAM='"$(probedir)/qmpin-probe"'

probedir = $(libexecdir)/qmpin
probe_PROGRAMS = src/qmpin-probe
src_qmpin_probe_SOURCES = src/probe/main.c
src_qmpin_probe_LDADD = $(LINK_PROBE)

# A host to be measured that exists in numbers only.
PROBE_SIM_HOST = tests/unit/probe_sim.c tests/unit/probe_sim.h tests/unit/layouts.h

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_blocks \
	tests/unit/test_pace \
	tests/unit/test_probe_sim \
	tests/unit/test_schedule \
	tests/unit/test_schedule_changes
tests_unit_test_blocks_SOURCES = tests/unit/test_blocks.c tests/unit/layouts.h
tests_unit_test_blocks_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_blocks_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_pace_SOURCES = tests/unit/test_pace.c
tests_unit_test_pace_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pace_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_probe_sim_SOURCES = tests/unit/test_probe_sim.c $(PROBE_SIM_HOST)
tests_unit_test_probe_sim_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	$(CMOCKA_CFLAGS)
tests_unit_test_probe_sim_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c \
	tests/unit/schedule_world.h tests/unit/layouts.h
tests_unit_test_schedule_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_schedule_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_schedule_changes_SOURCES = tests/unit/test_schedule_changes.c \
	tests/unit/schedule_world.h tests/unit/layouts.h
tests_unit_test_schedule_changes_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_schedule_changes_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/bench/bench_probe_sim
tests_bench_bench_probe_sim_SOURCES = tests/bench/bench_probe_sim.c $(PROBE_SIM_HOST)
tests_bench_bench_probe_sim_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_bench_bench_probe_sim_LDADD = $(LINK_PROBE)

# PROBE_SIM="VISIT_US SEED PART-OF-NAME"
bench-probe-sim: tests/bench/bench_probe_sim
	@$(AM_TESTS_ENVIRONMENT) tests/bench/bench_probe_sim $(PROBE_SIM)

.PHONY: bench-probe-sim
