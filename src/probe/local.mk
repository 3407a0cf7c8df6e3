noinst_LIBRARIES += src/libprobe.a
src_libprobe_a_SOURCES = \
	src/probe/cache.c src/probe/cache.h src/probe/cache_parse.c src/probe/cache_text.h \
	src/probe/cachefile.c src/probe/cachefile.h \
	src/probe/child.c src/probe/child.h \
	src/probe/crew.c src/probe/crew.h \
	src/probe/estimate.c src/probe/estimate.h \
	src/probe/grip.c src/probe/grip.h \
	src/probe/latcsv.c src/probe/latcsv.h \
	src/probe/belief.c src/probe/belief.h \
	src/probe/blocks.c src/probe/blocks.h \
	src/probe/infer.c src/probe/infer.h \
	src/probe/latfile.c src/probe/latfile.h \
	src/probe/latjson.c src/probe/latjson.h \
	src/probe/lattable.c src/probe/lattable.h \
	src/probe/number.c src/probe/number.h \
	src/probe/meter.c src/probe/meter.h \
	src/probe/pace.c src/probe/pace.h \
	src/probe/probeargs.c src/probe/probeargs.h \
	src/probe/rally.c src/probe/rally.h \
	src/probe/run.c src/probe/run.h \
	src/probe/pairs.c src/probe/pairs.h \
	src/probe/round.c src/probe/round.h \
	src/probe/schedule.c src/probe/schedule.h \
	src/probe/talk.c src/probe/talk.h \
	src/probe/usable.c src/probe/usable.h \
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
tests_unit_test_blocks_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_pace_SOURCES = tests/unit/test_pace.c
tests_unit_test_pace_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_probe_sim_SOURCES = tests/unit/test_probe_sim.c $(PROBE_SIM_HOST)
tests_unit_test_probe_sim_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c \
	tests/unit/schedule_world.h tests/unit/layouts.h
tests_unit_test_schedule_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_schedule_changes_SOURCES = tests/unit/test_schedule_changes.c \
	tests/unit/schedule_world.h tests/unit/layouts.h
tests_unit_test_schedule_changes_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
endif

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_cache \
	tests/unit/test_cache_damage \
	tests/unit/test_cachefile \
	tests/unit/test_latfile
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c tests/unit/cache_texts.h \
	tests/unit/layouts.h
tests_unit_test_cache_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_cache_damage_SOURCES = tests/unit/test_cache_damage.c \
	tests/unit/cache_texts.h tests/unit/mutate.h
tests_unit_test_cache_damage_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_cachefile_SOURCES = tests/unit/test_cachefile.c \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_cachefile_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_latfile_SOURCES = tests/unit/test_latfile.c
tests_unit_test_latfile_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
endif

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_child \
	tests/unit/test_estimate \
	tests/unit/test_meter \
	tests/unit/test_meter_preempted \
	tests/unit/test_probeargs \
	tests/unit/test_rally \
	tests/unit/test_talk \
	tests/unit/test_usable \
	tests/unit/test_wire
tests_unit_test_child_SOURCES = tests/unit/test_child.c \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_child_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_estimate_SOURCES = tests/unit/test_estimate.c tests/unit/mutate.h
tests_unit_test_estimate_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_meter_SOURCES = tests/unit/test_meter.c
tests_unit_test_meter_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_meter_preempted_SOURCES = tests/unit/test_meter_preempted.c
tests_unit_test_meter_preempted_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=grip_switches
tests_unit_test_meter_preempted_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_probeargs_SOURCES = tests/unit/test_probeargs.c
tests_unit_test_probeargs_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_rally_SOURCES = tests/unit/test_rally.c
tests_unit_test_rally_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_talk_SOURCES = tests/unit/test_talk.c
tests_unit_test_talk_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_usable_SOURCES = tests/unit/test_usable.c
tests_unit_test_usable_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c tests/unit/mutate.h
tests_unit_test_wire_LDADD = $(LINK_PROBE) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_wire
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(FUZZ_MAIN)
tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_wire_LDADD = $(LINK_PROBE)
EXTRA_DIST += tests/fuzz/corpus/wire

check_PROGRAMS += tests/tools/probe_pair
tests_tools_probe_pair_SOURCES = tests/tools/probe_pair.c
tests_tools_probe_pair_LDADD = $(LINK_PROBE)

# A benchmark, built by "make check" so that it keeps compiling, run by hand.
check_PROGRAMS += tests/bench/bench_probe
tests_bench_bench_probe_SOURCES = tests/bench/bench_probe.c
tests_bench_bench_probe_LDADD = $(LINK_PROBE)

bench-probe: tests/bench/bench_probe
	tests/bench/bench_probe

.PHONY: bench-probe
FUZZERS += tests/fuzz/fuzz_cache tests/fuzz/fuzz_latfile
tests_fuzz_fuzz_cache_SOURCES = tests/fuzz/fuzz_cache.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cache_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_cache_LDADD = $(LINK_PROBE)
tests_fuzz_fuzz_latfile_SOURCES = tests/fuzz/fuzz_latfile.c $(FUZZ_MAIN)
tests_fuzz_fuzz_latfile_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_latfile_LDADD = $(LINK_PROBE)
EXTRA_DIST += tests/fuzz/corpus/cache tests/fuzz/corpus/latfile
check_PROGRAMS += tests/bench/bench_probe_sim
tests_bench_bench_probe_sim_SOURCES = tests/bench/bench_probe_sim.c $(PROBE_SIM_HOST)
tests_bench_bench_probe_sim_LDADD = $(LINK_PROBE)

# PROBE_SIM="VISIT_US SEED PART-OF-NAME"
bench-probe-sim: tests/bench/bench_probe_sim
	@$(AM_TESTS_ENVIRONMENT) tests/bench/bench_probe_sim $(PROBE_SIM)

.PHONY: bench-probe-sim
