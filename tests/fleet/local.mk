# Many stand-ins for QEMU, for tests and benchmarks of scale.
check_PROGRAMS += tests/fleet/fleet
tests_fleet_fleet_SOURCES = \
	tests/fleet/crew.c tests/fleet/crew.h \
	tests/fleet/fleet.c \
	tests/fleet/monitor.c tests/fleet/monitor.h \
	tests/fleet/room.c tests/fleet/room.h \
	tests/fleet/ship.c tests/fleet/ship.h
tests_fleet_fleet_LDADD = $(LINK_BASE) -lpthread

# What the daemon costs with 10 to 1000 VMs. BENCH_SCALE: options and numbers.
bench-scale: all tests/fleet/fleet
	$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(top_srcdir)/tests/system/bench_scale.py $(BENCH_SCALE)

# VMs that come and go around a daemon that is killed 1000 times, or 166 times, and then left
# alone.
run_soak = $(AM_TESTS_ENVIRONMENT) QMPIN_SOAK=$(1) $(PYTHON3) \
	$(top_srcdir)/tests/system/test_soak.py
soak: all tests/fleet/fleet
	$(call run_soak,240)
soak-short: all tests/fleet/fleet
	$(call run_soak,40)

.PHONY: bench-scale soak soak-short
