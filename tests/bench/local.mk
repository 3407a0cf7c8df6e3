# Benchmarks of the planner, built by "make check" so that they keep compiling, run by
# hand.

# How good placements are. BENCH_PLACE holds options, see tests/bench/place/main.c.
BENCH_PLACE_PARTS = \
	tests/bench/place/anneal.c \
	tests/bench/place/distance.c tests/bench/place/distance.h \
	tests/bench/place/filled.c tests/bench/place/filled.h \
	tests/bench/place/host.c tests/bench/place/host.h \
	tests/bench/place/judge.c tests/bench/place/judge.h \
	tests/bench/place/ours.c \
	tests/bench/place/parts.c tests/bench/place/parts.h \
	tests/bench/place/peer_kubelet.c \
	tests/bench/place/peer_numad.c \
	tests/bench/place/peer_rfc.c \
	tests/bench/place/peer_simple.c \
	tests/bench/place/peer_sketch.c \
	tests/bench/place/policies.h \
	tests/bench/place/rnd.h \
	tests/bench/place/run.c tests/bench/place/run.h \
	tests/bench/place/scenario.c tests/bench/place/scenario.h \
	tests/bench/place/scenario_print.c \
	tests/bench/place/site.c tests/bench/place/site.h \
	tests/bench/place/sketch.c tests/bench/place/sketch.h \
	tests/bench/place/waits.c tests/bench/place/waits.h \
	tests/unit/hosts.c tests/unit/hosts.h \
	tests/unit/measured.c tests/unit/measured.h \
	tests/unit/pour.c tests/unit/pour.h tests/unit/trees.h
LINK_BENCH_PLACE = src/libhost.a $(LINK_PLACE) $(HWLOC_LIBS)

check_PROGRAMS += tests/bench/bench_place
tests_bench_bench_place_SOURCES = $(BENCH_PLACE_PARTS) \
	tests/bench/place/experiment.c tests/bench/place/experiment.h \
	tests/bench/place/main.c \
	tests/bench/place/table.c tests/bench/place/table.h
tests_bench_bench_place_LDADD = $(LINK_BENCH_PLACE)

BENCH_PLACE = --real
bench-place: tests/bench/bench_place
	@QMPIN_SHARED="$${QMPIN_SHARED:-$(abs_top_srcdir)/../shared}" \
		tests/bench/bench_place $(BENCH_PLACE)

# How fast the planner is.
check_PROGRAMS += tests/bench/bench_plan_speed
tests_bench_bench_plan_speed_SOURCES = tests/bench/bench_plan_speed.c $(PLACE_FLEET)
tests_bench_bench_plan_speed_LDADD = $(LINK_PLACE)

bench-plan-speed: tests/bench/bench_plan_speed
	tests/bench/bench_plan_speed

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_bench_judge
tests_unit_test_bench_judge_SOURCES = tests/unit/test_bench_judge.c \
	tests/unit/bench_fixture.h $(BENCH_PLACE_PARTS)
tests_unit_test_bench_judge_LDADD = $(LINK_BENCH_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_bench_place
tests_unit_test_bench_place_SOURCES = tests/unit/test_bench_place.c \
	tests/unit/bench_fixture.h $(BENCH_PLACE_PARTS)
tests_unit_test_bench_place_LDADD = $(LINK_BENCH_PLACE) $(CMOCKA_LIBS)
endif

# All benchmarks in their short forms: bench.json, bench.md and what they print in bench.log.
# BENCH: which of share, place, probe, engine and scale.
bench: all tests/bench/bench_place tests/bench/bench_probe tests/fleet/fleet \
		tests/share/rival
	@$(share_env) $(PYTHON3) $(top_srcdir)/tests/system/bench.py $(BENCH)
CLEANFILES += bench.json bench.md bench.log

.PHONY: bench bench-place bench-plan-speed
