# Faults: libc fails in the daemon, memory ends in parsers and commands, hosts misbehave.
EXTRA_DIST += \
	tests/faults/cases.py \
	tests/faults/faultlib.py \
	tests/faults/life.py \
	tests/faults/memory.py \
	tests/faults/run \
	tests/faults/table.py
SYSTEM_TESTS += tests/faults/test_faults.py

# All of them, and docs/faults.md anew.
check-faults: all $(check_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) QMPIN_TEST_SLACK=$${FAULT_SLACK:-2} \
		$(PYTHON3) $(srcdir)/tests/faults/run --table $(srcdir)/docs/faults.md $(FAULTS)

.PHONY: check-faults

if PLAIN_BUILD
# Preloaded, so no program's flags.
FAULT_SHIM = tests/faults/shim.so
check_PROGRAMS += $(FAULT_SHIM)
tests_faults_shim_so_SOURCES = tests/faults/shim.c tests/faults/shim.h
tests_faults_shim_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_faults_shim_so_LDFLAGS = -shared
tests_faults_shim_so_LDADD = -ldl

# Parsers of what comes from outside, each with its corpus, while memory ends: the programs
# are the fuzz targets, which replay files here.
check_PROGRAMS += tests/faults/nomem.so
tests_faults_nomem_so_SOURCES = tests/faults/nomem.c
tests_faults_nomem_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_faults_nomem_so_LDFLAGS = -shared
endif
