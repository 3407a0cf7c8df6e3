noinst_LIBRARIES += src/libdaemon.a
src_libdaemon_a_SOURCES =

# settings
src_libdaemon_a_SOURCES += \
	src/daemon/config.c src/daemon/config.h \
	src/daemon/inifile.c src/daemon/inifile.h \
	src/daemon/option_table.c src/daemon/option_table.h
# service manager
src_libdaemon_a_SOURCES += \
	src/daemon/notify.c src/daemon/notify.h

LINK_CONFIG = src/libdaemon.a $(LINK_PLACE) $(INIH_LIBS)
exampledir = $(docdir)/examples
dist_example_DATA = contrib/qmpin.conf
EXTRA_DIST += tests/fuzz/corpus/config

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_inifile \
	tests/unit/test_config \
	tests/unit/test_config_load \
	tests/unit/test_notify
tests_unit_test_inifile_SOURCES = tests/unit/test_inifile.c
tests_unit_test_inifile_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_inifile_LDADD = src/libdaemon.a $(LINK_BASE) $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/fuzz/fuzz_config.c
tests_unit_test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_config_LDADD = $(LINK_CONFIG) $(CMOCKA_LIBS)
tests_unit_test_config_load_SOURCES = tests/unit/test_config_load.c
tests_unit_test_config_load_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_config_load_LDADD = $(LINK_CONFIG) $(CMOCKA_LIBS)
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_notify_LDADD = src/libdaemon.a $(LINK_BASE) $(CMOCKA_LIBS)
endif

if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_config_LDADD = $(LINK_CONFIG)
endif
