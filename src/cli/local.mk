noinst_LIBRARIES += src/libcli.a
src_libcli_a_SOURCES = \
	src/cli/apart.c src/cli/apart.h \
	src/cli/args.c src/cli/args.h \
	src/cli/cmd.c src/cli/cmd.h \
	src/cli/cmd_apply.c src/cli/cmd_apply.h \
	src/cli/cmd_config.c src/cli/cmd_config.h \
	src/cli/cmd_doctor.c src/cli/cmd_doctor.h \
	src/cli/cmd_explain.c src/cli/cmd_explain.h \
	src/cli/cmd_heatmap.c src/cli/cmd_heatmap.h \
	src/cli/cmd_help.c src/cli/cmd_help.h \
	src/cli/cmd_latency.c src/cli/cmd_latency.h \
	src/cli/cmd_metrics.c src/cli/cmd_metrics.h \
	src/cli/cmd_mode.c src/cli/cmd_mode.h \
	src/cli/cmd_monitor.c src/cli/cmd_monitor.h \
	src/cli/cmd_plan.c src/cli/cmd_plan.h \
	src/cli/cmd_probe.c src/cli/cmd_probe.h \
	src/cli/cmd_ps.c src/cli/cmd_ps.h \
	src/cli/cmd_release.c src/cli/cmd_release.h \
	src/cli/cmd_reload.c src/cli/cmd_reload.h \
	src/cli/cmd_restore.c src/cli/cmd_restore.h \
	src/cli/cmd_status.c src/cli/cmd_status.h \
	src/cli/cmd_topology.c src/cli/cmd_topology.h \
	src/cli/cmd_version.c src/cli/cmd_version.h \
	src/cli/columns.c src/cli/columns.h \
	src/cli/coremap.c src/cli/coremap.h \
	src/cli/hostpicture.c src/cli/hostpicture.h \
	src/cli/hostseats.c src/cli/hostseats.h \
	src/cli/lathost.c src/cli/lathost.h \
	src/cli/latprint.c src/cli/latprint.h \
	src/cli/latsource.c src/cli/latsource.h \
	src/cli/latstats.c src/cli/latstats.h \
	src/cli/lines.c src/cli/lines.h \
	src/cli/neighbours.c src/cli/neighbours.h \
	src/cli/out.c src/cli/out.h \
	src/cli/outfile.c src/cli/outfile.h \
	src/cli/placement.c src/cli/placement.h \
	src/cli/planconfig.c src/cli/planconfig.h \
	src/cli/planhost.c src/cli/planhost.h \
	src/cli/planprint.c src/cli/planprint.h \
	src/cli/probedaemon.c src/cli/probedaemon.h \
	src/cli/probelocal.c src/cli/probelocal.h \
	src/cli/progress.c src/cli/progress.h \
	src/cli/pvescan.c src/cli/pvescan.h \
	src/cli/scenario.c src/cli/scenario.h \
	src/cli/session.c src/cli/session.h \
	src/cli/stop.c src/cli/stop.h \
	src/cli/table.c src/cli/table.h \
	src/cli/vmcall.c src/cli/vmcall.h \
	src/cli/vms.c src/cli/vms.h \
	src/cli/vmtable.c src/cli/vmtable.h \
	src/cli/wrap.c src/cli/wrap.h
src_libcli_a_CPPFLAGS = $(AM_CPPFLAGS) -DDAEMON_PROGRAM='"$(sbindir)/qmpind"' $(SMARTCOLS_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += src/qmpin
src_qmpin_SOURCES = src/cli/main.c
src_qmpin_LDADD = $(LINK_CLI)

if HAVE_CMOCKA

UNIT_TESTS += tests/unit/test_cli_args
tests_unit_test_cli_args_SOURCES = tests/unit/test_cli_args.c
tests_unit_test_cli_args_LDADD = src/libcli.a $(LINK_TOPO) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_cli_text
tests_unit_test_cli_text_SOURCES = tests/unit/test_cli_text.c
tests_unit_test_cli_text_LDADD = src/libcli.a $(LINK_BASE) $(SMARTCOLS_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_columns
tests_unit_test_columns_SOURCES = tests/unit/test_columns.c
tests_unit_test_columns_LDADD = src/libcli.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_latstats
tests_unit_test_latstats_SOURCES = tests/unit/test_latstats.c tests/unit/layouts.h
tests_unit_test_latstats_LDADD = src/libcli.a src/libctl.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_lines
tests_unit_test_lines_SOURCES = tests/unit/test_lines.c
tests_unit_test_lines_LDADD = src/libcli.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_scenario
tests_unit_test_scenario_SOURCES = tests/unit/test_scenario.c
tests_unit_test_scenario_LDADD = src/libcli.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_placement
tests_unit_test_placement_SOURCES = tests/unit/test_placement.c \
	tests/unit/hosts.c tests/unit/hosts.h
tests_unit_test_placement_LDADD = src/libcli.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_hostpicture
tests_unit_test_hostpicture_SOURCES = tests/unit/test_hostpicture.c \
	tests/unit/hosts.c tests/unit/hosts.h
tests_unit_test_hostpicture_LDADD = src/libcli.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_pvescan
tests_unit_test_pvescan_SOURCES = tests/unit/test_pvescan.c \
	tests/unit/checklist.h tests/unit/trees.h
tests_unit_test_pvescan_LDADD = src/libcli.a src/libpve.a $(LINK_HOST) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_coremap
tests_unit_test_coremap_SOURCES = tests/unit/test_coremap.c \
	tests/unit/hosts.c tests/unit/hosts.h tests/unit/layouts.h
tests_unit_test_coremap_LDADD = src/libcli.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_progress
tests_unit_test_progress_SOURCES = tests/unit/test_progress.c
tests_unit_test_progress_LDADD = src/libcli.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_wrap
tests_unit_test_wrap_SOURCES = tests/unit/test_wrap.c
tests_unit_test_wrap_LDADD = src/libcli.a $(LINK_BASE) $(CMOCKA_LIBS)

# These run src/qmpin itself.
CLI_RUN = tests/unit/cli_run.c tests/unit/cli_run.h $(CTL_WORLD)

UNIT_TESTS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c $(CLI_RUN)
tests_unit_test_cli_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_doctor
tests_unit_test_cli_doctor_SOURCES = tests/unit/test_cli_doctor.c tests/unit/trees.h \
	$(CLI_RUN)
tests_unit_test_cli_doctor_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_doctor_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_exit
tests_unit_test_cli_exit_SOURCES = tests/unit/test_cli_exit.c $(CLI_RUN)
tests_unit_test_cli_exit_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_exit_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_explain
tests_unit_test_cli_explain_SOURCES = tests/unit/test_cli_explain.c $(CLI_RUN)
tests_unit_test_cli_explain_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_explain_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_help
tests_unit_test_cli_help_SOURCES = tests/unit/test_cli_help.c $(CLI_RUN)
tests_unit_test_cli_help_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_help_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_heatmap
tests_unit_test_cli_heatmap_SOURCES = tests/unit/test_cli_heatmap.c $(CLI_RUN)
tests_unit_test_cli_heatmap_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_heatmap_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_latency
tests_unit_test_cli_latency_SOURCES = tests/unit/test_cli_latency.c $(CLI_RUN)
tests_unit_test_cli_latency_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_latency_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_shown
tests_unit_test_cli_shown_SOURCES = tests/unit/test_cli_shown.c $(CLI_RUN)
tests_unit_test_cli_shown_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_shown_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_monitor
tests_unit_test_cli_monitor_SOURCES = tests/unit/test_cli_monitor.c $(CLI_RUN)
tests_unit_test_cli_monitor_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_monitor_DEPENDENCIES = src/qmpin$(EXEEXT)

PLAN_RUN = tests/unit/plan_run.c tests/unit/plan_run.h $(CLI_RUN)

UNIT_TESTS += tests/unit/test_cli_plan
tests_unit_test_cli_plan_SOURCES = tests/unit/test_cli_plan.c $(PLAN_RUN)
tests_unit_test_cli_plan_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_plan_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_plan_wrong
tests_unit_test_cli_plan_wrong_SOURCES = tests/unit/test_cli_plan_wrong.c $(PLAN_RUN)
tests_unit_test_cli_plan_wrong_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_plan_wrong_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_mode
tests_unit_test_cli_mode_SOURCES = tests/unit/test_cli_mode.c \
	tests/unit/procs.c tests/unit/procs.h $(CLI_RUN)
tests_unit_test_cli_mode_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_mode_DEPENDENCIES = src/qmpin$(EXEEXT)

UNIT_TESTS += tests/unit/test_cli_probe
tests_unit_test_cli_probe_SOURCES = tests/unit/test_cli_probe.c $(CLI_RUN)
tests_unit_test_cli_probe_LDADD = $(LINK_CLI) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_cli_probe_DEPENDENCIES = src/qmpin$(EXEEXT) src/qmpin-probe$(EXEEXT)
endif
EXTRA_DIST += tests/data/latency/two-packages.csv tests/data/latency/two-packages.xml \
	tests/data/plan

FUZZERS += tests/fuzz/fuzz_args
tests_fuzz_fuzz_args_SOURCES = tests/fuzz/fuzz_args.c $(FUZZ_MAIN)
tests_fuzz_fuzz_args_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_args_LDADD = src/libcli.a $(LINK_TOPO)
EXTRA_DIST += tests/fuzz/corpus/args

FUZZERS += tests/fuzz/fuzz_scenario
tests_fuzz_fuzz_scenario_SOURCES = tests/fuzz/fuzz_scenario.c $(FUZZ_MAIN)
tests_fuzz_fuzz_scenario_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_scenario_LDADD = src/libcli.a $(LINK_PLACE)
EXTRA_DIST += tests/fuzz/corpus/scenario
