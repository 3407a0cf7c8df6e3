# The daemon against a model of a host, in virtual time. The model's files come before the
# libraries whose functions they replace: what they define is not taken from there.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/bench/place/rnd.h \
	tests/sim/actors.h \
	tests/sim/calls.c tests/sim/calls.h \
	tests/sim/cpus.c \
	tests/sim/exile.c \
	tests/sim/groups.c \
	tests/sim/guests.c \
	tests/sim/judge.c tests/sim/judge.h \
	tests/sim/kernel.c \
	tests/sim/life.c tests/sim/life.h \
	tests/sim/load.c \
	tests/sim/loop.c tests/sim/loop.h \
	tests/sim/main.c \
	tests/sim/masks.c \
	tests/sim/model.c tests/sim/model.h \
	tests/sim/qemu.c tests/sim/qemu.h \
	tests/sim/qmpind.c tests/sim/qmpind.h \
	tests/sim/seam.c tests/sim/seam.h \
	tests/sim/sets.c \
	tests/unit/hosts.c tests/unit/hosts.h \
	tests/unit/invariants.c tests/unit/invariants.h \
	tests/unit/invariants_cores.c tests/unit/invariants_list.c \
	tests/unit/vmrules.c tests/unit/vmrules.h
tests_sim_sim_LDADD = src/libdaemon.a src/libctl.a src/libact.a src/libvm.a src/libqmp.a \
	src/libpve.a src/libprobe.a src/libhost.a $(LINK_CONF)
tests_sim_sim_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=planner_run -Wl,--wrap=record_save

TESTS += tests/sim/check-sim
EXTRA_DIST += tests/sim/check-sim

# Months of several hosts. SIM: days, and hosts where not all are meant; SIM_SEEDS: how
# many seeds of each.
SIM = 30
sim: tests/sim/sim
	@QMPIN_BUILD='$(abs_top_builddir)' $(srcdir)/tests/sim/check-sim $(SIM)

.PHONY: sim
