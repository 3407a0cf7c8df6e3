# Faults: libc fails in the daemon, memory ends in parsers and commands, hosts misbehave.
EXTRA_DIST += \
	tests/faults/faultlib.py \
	tests/faults/life.py \
	tests/faults/run \
	tests/faults/test_faults.py

if PLAIN_BUILD
# Preloaded, so no program's flags.
check_PROGRAMS += tests/faults/shim.so
tests_faults_shim_so_SOURCES = tests/faults/shim.c tests/faults/shim.h
tests_faults_shim_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_faults_shim_so_LDFLAGS = -shared
tests_faults_shim_so_LDADD = -ldl
endif
