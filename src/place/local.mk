noinst_LIBRARIES += src/libplace.a
src_libplace_a_SOURCES = \
	src/place/adopt.c src/place/adopt.h \
	src/place/candidates.c src/place/candidates.h \
	src/place/emulator.c src/place/emulator.h \
	src/place/float.c src/place/float.h \
	src/place/mode.c src/place/mode.h \
	src/place/pin.c src/place/pin.h \
	src/place/planner.c src/place/planner.h \
	src/place/tree.c src/place/tree.h \
	src/place/wait.c src/place/wait.h \
	src/place/why.c src/place/why.h \
	src/place/world.c src/place/world.h

# A benchmark, built by "make check" so that it keeps compiling, run by hand.
check_PROGRAMS += tests/bench/bench_place
tests_bench_bench_place_SOURCES = tests/bench/bench_place.c \
	tests/unit/fleet.c tests/unit/fleet.h tests/unit/hosts.c tests/unit/hosts.h
tests_bench_bench_place_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_bench_bench_place_LDADD = $(LINK_PLACE)

bench-place: tests/bench/bench_place
	tests/bench/bench_place

.PHONY: bench-place
