# Faults: libc fails in the daemon, memory ends in parsers and commands, hosts misbehave.
EXTRA_DIST += \
	docs/faults.md \
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

# Parsers of what comes from outside, each with its corpus, while memory ends. The targets
# are those of tests/fuzz, without libFuzzer.
check_PROGRAMS += tests/faults/nomem.so
tests_faults_nomem_so_SOURCES = tests/faults/nomem.c
tests_faults_nomem_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_faults_nomem_so_LDFLAGS = -shared
PARSERS =
PARSERS += tests/faults/parse_args
tests_faults_parse_args_SOURCES = tests/fuzz/fuzz_args.c tests/fuzz/replay.c
tests_faults_parse_args_LDADD = src/libcli.a $(LINK_TOPO)
PARSERS += tests/faults/parse_cache
tests_faults_parse_cache_SOURCES = tests/fuzz/fuzz_cache.c tests/fuzz/replay.c
tests_faults_parse_cache_LDADD = $(LINK_PROBE)
PARSERS += tests/faults/parse_cpulist
tests_faults_parse_cpulist_SOURCES = tests/fuzz/fuzz_cpulist.c tests/fuzz/replay.c
tests_faults_parse_cpulist_LDADD = $(LINK_TOPO)
PARSERS += tests/faults/parse_ctl_conn
tests_faults_parse_ctl_conn_SOURCES = tests/fuzz/fuzz_ctl_conn.c tests/fuzz/replay.c
tests_faults_parse_ctl_conn_LDADD = $(LINK_CTL)
PARSERS += tests/faults/parse_latfile
tests_faults_parse_latfile_SOURCES = tests/fuzz/fuzz_latfile.c tests/fuzz/replay.c
tests_faults_parse_latfile_LDADD = $(LINK_PROBE)
PARSERS += tests/faults/parse_mux
tests_faults_parse_mux_SOURCES = tests/fuzz/fuzz_mux.c tests/fuzz/replay.c
tests_faults_parse_mux_LDADD = $(LINK_QMP)
PARSERS += tests/faults/parse_qmp_stream
tests_faults_parse_qmp_stream_SOURCES = tests/fuzz/fuzz_qmp_stream.c tests/fuzz/replay.c
tests_faults_parse_qmp_stream_LDADD = $(LINK_QMP)
PARSERS += tests/faults/parse_scenario
tests_faults_parse_scenario_SOURCES = tests/fuzz/fuzz_scenario.c tests/fuzz/replay.c
tests_faults_parse_scenario_LDADD = src/libcli.a $(LINK_PLACE)
PARSERS += tests/faults/parse_settings
tests_faults_parse_settings_SOURCES = tests/fuzz/fuzz_settings.c tests/fuzz/replay.c
tests_faults_parse_settings_LDADD = $(LINK_CONF)
PARSERS += tests/faults/parse_varlink
tests_faults_parse_varlink_SOURCES = tests/fuzz/fuzz_varlink.c tests/fuzz/replay.c
tests_faults_parse_varlink_LDADD = src/libctl.a $(LINK_BASE)
PARSERS += tests/faults/parse_wire
tests_faults_parse_wire_SOURCES = tests/fuzz/fuzz_wire.c tests/fuzz/replay.c
tests_faults_parse_wire_LDADD = $(LINK_PROBE)
check_PROGRAMS += $(PARSERS)
endif
