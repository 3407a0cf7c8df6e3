noinst_LIBRARIES += src/libconf.a
src_libconf_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
src_libconf_a_SOURCES = \
	src/conf/conffiles.c src/conf/conffiles.h \
	src/conf/inifile.c src/conf/inifile.h \
	src/conf/inventory.c src/conf/inventory.h \
	src/conf/modefile.c src/conf/modefile.h \
	src/conf/option_table.c src/conf/option_table.h \
	src/conf/option_value.c src/conf/option_value.h \
	src/conf/settings.c src/conf/settings.h \
	src/conf/sources.c src/conf/sources.h

exampledir = $(docdir)/examples
dist_example_DATA = contrib/qmpin.conf
EXTRA_DIST += tests/fuzz/corpus/settings

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_inifile \
	tests/unit/test_inventory \
	tests/unit/test_modefile \
	tests/unit/test_settings \
	tests/unit/test_settings_load \
	tests/unit/test_settings_policy
tests_unit_test_inifile_SOURCES = tests/unit/test_inifile.c
tests_unit_test_inifile_LDADD = $(LINK_CONF) $(CMOCKA_LIBS)
tests_unit_test_inventory_SOURCES = tests/unit/test_inventory.c
tests_unit_test_inventory_LDADD = $(LINK_CONF) $(CMOCKA_LIBS)
tests_unit_test_modefile_SOURCES = tests/unit/test_modefile.c
tests_unit_test_modefile_LDADD = $(LINK_CONF) $(CMOCKA_LIBS)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c tests/unit/settings_text.h
tests_unit_test_settings_LDADD = $(LINK_CONF) src/libqmp.a $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_settings_load_SOURCES = tests/unit/test_settings_load.c
tests_unit_test_settings_load_LDADD = $(LINK_CONF) $(CMOCKA_LIBS)
tests_unit_test_settings_policy_SOURCES = tests/unit/test_settings_policy.c tests/unit/settings_text.h
tests_unit_test_settings_policy_LDADD = $(LINK_CONF) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_settings
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c $(FUZZ_MAIN)
tests_fuzz_fuzz_settings_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_settings_LDADD = $(LINK_CONF)
