noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
src_libvm_a_SOURCES = \
	src/vm/discovery.c src/vm/discovery.h \
	src/vm/identity.c src/vm/identity.h \
	src/vm/kinship.c src/vm/kinship.h \
	src/vm/schedstat.c src/vm/schedstat.h \
	src/vm/sockdir.c src/vm/sockdir.h \
	src/vm/task.c src/vm/task.h \
	src/vm/taskmask.c src/vm/taskmask.h \
	src/vm/threads.c src/vm/threads.h \
	src/vm/vfio.c src/vm/vfio.h

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_schedstat
tests_unit_test_schedstat_SOURCES = tests/unit/test_schedstat.c tests/unit/procs.c
tests_unit_test_schedstat_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_discovery tests/unit/test_discovery_dir \
	tests/unit/test_identity tests/unit/test_kinship tests/unit/test_sockdir \
	tests/unit/test_task tests/unit/test_taskmask \
	tests/unit/test_threads tests/unit/test_vfio
# what tests of vm and act share: real processes, damage to texts
EXTRA_DIST += tests/unit/mutate.h tests/unit/procs.h tests/unit/watched.h

tests_unit_test_discovery_SOURCES = tests/unit/test_discovery.c tests/unit/watched.c \
	tests/unit/procs.c
tests_unit_test_discovery_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_discovery_dir_SOURCES = tests/unit/test_discovery_dir.c \
	tests/unit/watched.c tests/unit/procs.c
tests_unit_test_discovery_dir_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_identity_SOURCES = tests/unit/test_identity.c tests/unit/procs.c
tests_unit_test_identity_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_kinship_SOURCES = tests/unit/test_kinship.c
tests_unit_test_kinship_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_taskmask_SOURCES = tests/unit/test_taskmask.c tests/unit/procs.c
tests_unit_test_taskmask_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_sockdir_SOURCES = tests/unit/test_sockdir.c tests/unit/procs.c
tests_unit_test_sockdir_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_task_SOURCES = tests/unit/test_task.c tests/unit/procs.c
tests_unit_test_task_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_threads_SOURCES = tests/unit/test_threads.c
tests_unit_test_threads_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

tests_unit_test_vfio_SOURCES = tests/unit/test_vfio.c
tests_unit_test_vfio_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_proc
tests_fuzz_fuzz_proc_SOURCES = tests/fuzz/fuzz_proc.c $(FUZZ_MAIN)
tests_fuzz_fuzz_proc_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_proc_LDADD = $(LINK_VM)
EXTRA_DIST += tests/fuzz/corpus/proc
