noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
src_libvm_a_SOURCES = \
	src/vm/discovery.c src/vm/discovery.h \
	src/vm/identity.c src/vm/identity.h \
	src/vm/sockdir.c src/vm/sockdir.h \
	src/vm/task.c src/vm/task.h \
	src/vm/threads.c src/vm/threads.h

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_task
tests_unit_test_task_SOURCES = tests/unit/test_task.c tests/unit/mutate.h \
	tests/unit/procs.c tests/unit/procs.h
tests_unit_test_task_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_task_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
endif
