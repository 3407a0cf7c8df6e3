noinst_LIBRARIES += src/libdaemon.a
src_libdaemon_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS) \
	-DMIGRATE_PROGRAM='"$(migratedir)/qmpin-migrate"' -DPVE_PROGRAM='"$(pvedir)/qmpin-pve"'
src_libdaemon_a_SOURCES = \
	src/daemon/adopt.c src/daemon/adopt.h \
	src/daemon/apply.c src/daemon/apply.h \
	src/daemon/applying.c src/daemon/applying.h \
	src/daemon/asker.c src/daemon/asker.h \
	src/daemon/audit.c src/daemon/audit.h \
	src/daemon/audited.h \
	src/daemon/background.c src/daemon/background.h \
	src/daemon/busy.c src/daemon/busy.h \
	src/daemon/cause.c src/daemon/cause.h \
	src/daemon/childio.c src/daemon/childio.h \
	src/daemon/cmdline.c src/daemon/cmdline.h \
	src/daemon/conflayers.c src/daemon/conflayers.h \
	src/daemon/confine.c src/daemon/confine.h \
	src/daemon/configcalls.c src/daemon/configcalls.h \
	src/daemon/control.c src/daemon/control.h \
	src/daemon/doctor.c src/daemon/doctor.h \
	src/daemon/doctoring.c src/daemon/doctoring.h \
	src/daemon/drift.c src/daemon/drift.h \
	src/daemon/drifting.c src/daemon/drifting.h \
	src/daemon/delays.c src/daemon/delays.h \
	src/daemon/engine.c src/daemon/engine.h \
	src/daemon/explaining.c src/daemon/explaining.h \
	src/daemon/feed.c src/daemon/feed.h \
	src/daemon/giveback.c src/daemon/giveback.h \
	src/daemon/hearing.c src/daemon/hearing.h \
	src/daemon/history.c src/daemon/history.h \
	src/daemon/hostmodel.c src/daemon/hostmodel.h \
	src/daemon/hostwatch.c src/daemon/hostwatch.h \
	src/daemon/kin.c src/daemon/kin.h \
	src/daemon/kthreads.c src/daemon/kthreads.h \
	src/daemon/knowledge.c src/daemon/knowledge.h \
	src/daemon/latecomer.c src/daemon/latecomer.h \
	src/daemon/leftovers.c src/daemon/leftovers.h \
	src/daemon/offline.c src/daemon/offline.h \
	src/daemon/letgo.c src/daemon/letgo.h \
	src/daemon/listing.c src/daemon/listing.h \
	src/daemon/loads.c src/daemon/loads.h \
	src/daemon/memory.c src/daemon/memory.h \
	src/daemon/metering.c src/daemon/metering.h \
	src/daemon/migraterun.c src/daemon/migraterun.h \
	src/daemon/migrating.c src/daemon/migrating.h \
	src/daemon/pass.c src/daemon/pass.h \
	src/daemon/passed.c src/daemon/passed.h \
	src/daemon/pending.c src/daemon/pending.h \
	src/daemon/patience.c src/daemon/patience.h \
	src/daemon/planning.c src/daemon/planning.h \
	src/daemon/probecalls.c src/daemon/probecalls.h \
	src/daemon/intake.c src/daemon/intake.h \
	src/daemon/probelog.c src/daemon/probelog.h \
	src/daemon/proberun.c src/daemon/proberun.h \
	src/daemon/probing.c src/daemon/probing.h \
	src/daemon/proof.c src/daemon/proof.h \
	src/daemon/pveknown.c src/daemon/pveknown.h \
	src/daemon/pverun.c src/daemon/pverun.h \
	src/daemon/pvecluster.c src/daemon/pvecluster.h \
	src/daemon/pvewatch.c src/daemon/pvewatch.h \
	src/daemon/rebalancing.c src/daemon/rebalancing.h \
	src/daemon/recall.c src/daemon/recall.h \
	src/daemon/release.c src/daemon/release.h \
	src/daemon/report.c src/daemon/report.h \
	src/daemon/seating.c src/daemon/seating.h \
	src/daemon/residence.c src/daemon/residence.h \
	src/daemon/service.c src/daemon/service.h \
	src/daemon/sharing.c src/daemon/sharing.h \
	src/daemon/idle.c src/daemon/idle.h \
	src/daemon/rundelay.c src/daemon/rundelay.h \
	src/daemon/squeeze.c src/daemon/squeeze.h \
	src/daemon/smp.c src/daemon/smp.h \
	src/daemon/survey.c src/daemon/survey.h \
	src/daemon/takeover.c src/daemon/takeover.h \
	src/daemon/telling.c src/daemon/telling.h \
	src/daemon/threadwatch.c src/daemon/threadwatch.h \
	src/daemon/undo.c src/daemon/undo.h \
	src/daemon/topocalls.c src/daemon/topocalls.h \
	src/daemon/turns.c src/daemon/turns.h \
	src/daemon/vm.c src/daemon/vm.h \
	src/daemon/vmmode.c src/daemon/vmmode.h \
	src/daemon/vmtask.h \
	src/daemon/watch.c src/daemon/watch.h \
	src/daemon/wishes.c src/daemon/wishes.h

sbin_PROGRAMS += src/qmpind
src_qmpind_SOURCES = src/daemon/main.c
src_qmpind_LDADD = $(LINK_DAEMON)

# service manager
src_libdaemon_a_SOURCES += \
	src/daemon/notify.c src/daemon/notify.h


if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_background \
	tests/unit/test_cause \
	tests/unit/test_cmdline \
	tests/unit/test_doctor \
	tests/unit/test_drift \
	tests/unit/test_feed \
	tests/unit/test_history \
	tests/unit/test_hostwatch \
	tests/unit/test_loads \
	tests/unit/test_patience \
	tests/unit/test_memory \
	tests/unit/test_migrating \
	tests/unit/test_planning \
	tests/unit/test_residence \
	tests/unit/test_seating \
	tests/unit/test_smp \
	tests/unit/test_turns \
	tests/unit/test_vm

tests_unit_test_hostwatch_SOURCES = tests/unit/test_hostwatch.c tests/unit/repeat.h \
	tests/unit/trees.h
tests_unit_test_hostwatch_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_delays tests/unit/test_idle tests/unit/test_rundelay
tests_unit_test_delays_SOURCES = tests/unit/test_delays.c
tests_unit_test_delays_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_idle_SOURCES = tests/unit/test_idle.c
tests_unit_test_idle_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_rundelay_SOURCES = tests/unit/test_rundelay.c
tests_unit_test_rundelay_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_cause_SOURCES = tests/unit/test_cause.c
tests_unit_test_cause_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_doctor_SOURCES = tests/unit/test_doctor.c tests/unit/checklist.h
tests_unit_test_doctor_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_drift_SOURCES = tests/unit/test_drift.c
tests_unit_test_drift_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_patience_SOURCES = tests/unit/test_patience.c
tests_unit_test_patience_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_smp_SOURCES = tests/unit/test_smp.c
tests_unit_test_smp_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_turns_SOURCES = tests/unit/test_turns.c
tests_unit_test_turns_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_feed_SOURCES = tests/unit/test_feed.c
tests_unit_test_feed_LDADD = src/libdaemon.a $(LINK_BASE) $(CMOCKA_LIBS)

tests_unit_test_history_SOURCES = tests/unit/test_history.c
tests_unit_test_history_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

vm_table = tests/unit/vmtable.c tests/unit/vmtable.h tests/unit/layouts.h \
	tests/unit/logcatch.c tests/unit/logcatch.h
tests_unit_test_memory_SOURCES = tests/unit/test_memory.c $(vm_table) \
	tests/unit/trees.h
tests_unit_test_memory_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_migrating_SOURCES = tests/unit/test_migrating.c $(vm_table) \
	tests/unit/trees.h
tests_unit_test_migrating_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_residence_SOURCES = tests/unit/test_residence.c tests/unit/layouts.h
tests_unit_test_residence_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_planning_SOURCES = tests/unit/test_planning.c $(vm_table)
tests_unit_test_planning_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_background_SOURCES = tests/unit/test_background.c \
	tests/unit/trees.h $(vm_table)
tests_unit_test_background_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_loads_SOURCES = tests/unit/test_loads.c
tests_unit_test_loads_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_squeeze
tests_unit_test_squeeze_SOURCES = tests/unit/test_squeeze.c $(vm_table)
tests_unit_test_squeeze_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test_squeeze_life
tests_unit_test_squeeze_life_SOURCES = tests/unit/test_squeeze_life.c $(vm_table) \
	tests/unit/trees.h
tests_unit_test_squeeze_life_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_wishes
tests_unit_test_wishes_SOURCES = tests/unit/test_wishes.c $(vm_table) \
	tests/unit/trees.h
tests_unit_test_wishes_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_seating_SOURCES = tests/unit/test_seating.c $(vm_table)
tests_unit_test_seating_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_cmdline_SOURCES = tests/unit/test_cmdline.c
tests_unit_test_cmdline_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

tests_unit_test_vm_SOURCES = tests/unit/test_vm.c
tests_unit_test_vm_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_notify
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_LDADD = src/libdaemon.a $(LINK_BASE) $(CMOCKA_LIBS)

# The engine on real threads: a stand-in for QEMU, a clock that the test moves.
daemon_stage = \
	tests/unit/stage.c tests/unit/stage.h \
	tests/unit/standin.c tests/unit/standin.h \
	tests/unit/logcatch.c tests/unit/logcatch.h \
	tests/unit/qmp_server.c tests/unit/qmp_server.h \
	tests/unit/procs.c tests/unit/procs.h
# And a client of it.
daemon_desk = tests/unit/desk.c tests/unit/desk.h $(daemon_stage) $(CTL_WORLD)

UNIT_TESTS += tests/unit/test_childio
tests_unit_test_childio_SOURCES = tests/unit/test_childio.c \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_childio_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_childio_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=event_add

UNIT_TESTS += \
	tests/unit/test_control \
	tests/unit/test_doctoring \
	tests/unit/test_drifting \
	tests/unit/test_engine \
	tests/unit/test_engine_budgets \
	tests/unit/test_engine_workers \
	tests/unit/test_engine_cgroup \
	tests/unit/test_engine_isolated \
	tests/unit/test_engine_restart \
	tests/unit/test_engine_waits \
	tests/unit/test_explaining \
	tests/unit/test_kin \
	tests/unit/test_kthreads \
	tests/unit/test_leftovers \
	tests/unit/test_pass \
	tests/unit/test_proberun \
	tests/unit/test_probing \
	tests/unit/test_rebalancing \
	tests/unit/test_recall \
	tests/unit/test_report \
	tests/unit/test_survey \
	tests/unit/test_takeover \
	tests/unit/test_telling \
	tests/unit/test_threadwatch \
	tests/unit/test_vmmode
tests_unit_test_control_SOURCES = tests/unit/test_control.c $(daemon_desk)
tests_unit_test_control_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_doctoring_SOURCES = tests/unit/test_doctoring.c tests/unit/trees.h \
	$(daemon_desk)
tests_unit_test_doctoring_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_drifting_SOURCES = tests/unit/test_drifting.c $(daemon_stage)
tests_unit_test_drifting_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(daemon_stage)
tests_unit_test_engine_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_budgets_SOURCES = tests/unit/test_engine_budgets.c $(daemon_stage)
tests_unit_test_engine_budgets_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_workers_SOURCES = tests/unit/test_engine_workers.c $(daemon_stage)
tests_unit_test_engine_workers_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_cgroup_SOURCES = tests/unit/test_engine_cgroup.c \
	tests/unit/trees.h $(daemon_stage)
tests_unit_test_engine_cgroup_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_isolated_SOURCES = tests/unit/test_engine_isolated.c $(daemon_stage)
tests_unit_test_engine_isolated_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_restart_SOURCES = tests/unit/test_engine_restart.c $(daemon_stage)
tests_unit_test_engine_restart_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_engine_waits_SOURCES = tests/unit/test_engine_waits.c $(daemon_stage)
tests_unit_test_engine_waits_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_explaining_SOURCES = tests/unit/test_explaining.c $(daemon_desk)
tests_unit_test_explaining_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_kin_SOURCES = tests/unit/test_kin.c \
	tests/unit/scopes.c tests/unit/scopes.h tests/unit/trees.h $(daemon_stage)
tests_unit_test_kin_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_kthreads_SOURCES = tests/unit/test_kthreads.c tests/unit/trees.h
tests_unit_test_kthreads_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_leftovers_SOURCES = tests/unit/test_leftovers.c \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_leftovers_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
probing_lab = tests/unit/probelab.c tests/unit/probelab.h \
	tests/unit/hosts.c tests/unit/hosts.h \
	tests/unit/logcatch.c tests/unit/logcatch.h \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_proberun_SOURCES = tests/unit/test_proberun.c $(probing_lab)
tests_unit_test_proberun_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_probing_SOURCES = tests/unit/test_probing.c $(probing_lab)
tests_unit_test_probing_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_pass_SOURCES = tests/unit/test_pass.c $(daemon_stage)
tests_unit_test_pass_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_rebalancing_SOURCES = tests/unit/test_rebalancing.c $(daemon_stage)
tests_unit_test_rebalancing_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_recall_SOURCES = tests/unit/test_recall.c tests/unit/trees.h \
	$(daemon_stage)
tests_unit_test_recall_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_recall_DEPENDENCIES = src/qmpin-pve$(EXEEXT)
tests_unit_test_survey_SOURCES = tests/unit/test_survey.c $(daemon_stage)
tests_unit_test_survey_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_survey_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=taskmask_read
tests_unit_test_takeover_SOURCES = tests/unit/test_takeover.c $(daemon_stage)
tests_unit_test_takeover_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_takeover_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=record_save -Wl,--wrap=affinity_apply
tests_unit_test_telling_SOURCES = tests/unit/test_telling.c $(CTL_WORLD)
tests_unit_test_telling_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_threadwatch_SOURCES = tests/unit/test_threadwatch.c $(daemon_stage)
tests_unit_test_threadwatch_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_vmmode_SOURCES = tests/unit/test_vmmode.c $(daemon_desk)
tests_unit_test_vmmode_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
tests_unit_test_report_SOURCES = tests/unit/test_report.c \
	tests/unit/logcatch.c tests/unit/logcatch.h
tests_unit_test_report_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
endif

# reading /etc/pve
if HAVE_CMOCKA
pve_world = tests/unit/pveworld.c tests/unit/pveworld.h tests/unit/trees.h
UNIT_TESTS += tests/unit/test_pvewatch tests/unit/test_pvewatch_hang
tests_unit_test_pvewatch_SOURCES = tests/unit/test_pvewatch.c $(pve_world)
tests_unit_test_pvewatch_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_pvewatch_DEPENDENCIES = src/qmpin-pve$(EXEEXT)
tests_unit_test_pvewatch_hang_SOURCES = tests/unit/test_pvewatch_hang.c $(pve_world) \
	tests/unit/pvefuse.c tests/unit/pvefuse.h
tests_unit_test_pvewatch_hang_LDADD = $(LINK_DAEMON) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_pvewatch_hang_DEPENDENCIES = src/qmpin-pve$(EXEEXT)
endif
