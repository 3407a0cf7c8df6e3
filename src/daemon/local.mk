noinst_LIBRARIES += src/libdaemon.a
src_libdaemon_a_SOURCES =

# settings
src_libdaemon_a_SOURCES += \
	src/daemon/inifile.c src/daemon/inifile.h

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_inifile
tests_unit_test_inifile_SOURCES = tests/unit/test_inifile.c
tests_unit_test_inifile_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_inifile_LDADD = src/libdaemon.a $(LINK_BASE) $(INIH_LIBS) $(CMOCKA_LIBS)
endif
