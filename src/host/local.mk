noinst_LIBRARIES += src/libhost.a
src_libhost_a_SOURCES = \
	src/host/cgroup.c src/host/cgroup.h \
	src/host/cgrouptext.c src/host/cgrouptext.h \
	src/host/cpuident.c src/host/cpuident.h \
	src/host/hostcheck.c src/host/hostcheck.h \
	src/host/hostfacts.c src/host/hostfacts.h \
	src/host/hostid.c src/host/hostid.h \
	src/host/hwchild.c src/host/hwchild.h \
	src/host/hwexport.c src/host/hwexport.h \
	src/host/hwimport.c src/host/hwimport.h \
	src/host/hwscan.c src/host/hwscan.h \
	src/host/hwtree.c src/host/hwtree.h \
	src/host/load.c src/host/load.h \
	src/host/mounts.c src/host/mounts.h \
	src/host/nodemem.c src/host/nodemem.h \
	src/host/numamaps.c src/host/numamaps.h \
	src/host/pcidev.c src/host/pcidev.h \
	src/host/sysfs.c src/host/sysfs.h \
	src/host/sysroot.c src/host/sysroot.h \
	src/host/textfile.c src/host/textfile.h \
	src/host/uevent.c src/host/uevent.h \
	src/host/virt.c src/host/virt.h
src_libhost_a_CPPFLAGS = $(AM_CPPFLAGS) $(HWLOC_CFLAGS)

check_PROGRAMS += tests/tools/topo_dump
tests_tools_topo_dump_SOURCES = tests/tools/topo_dump.c
tests_tools_topo_dump_LDADD = $(LINK_HOST) -lm

TESTS += tests/topologies/zoo.py
EXTRA_DIST += tests/topologies/synth.py tests/topologies/zoo.py

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_cgroup \
	tests/unit/test_host_load \
	tests/unit/test_hostcheck \
	tests/unit/test_hostfacts \
	tests/unit/test_hostid \
	tests/unit/test_hwexport \
	tests/unit/test_mounts \
	tests/unit/test_numamaps \
	tests/unit/test_pcidev \
	tests/unit/test_sysfs \
	tests/unit/test_uevent
tests_unit_test_hostcheck_SOURCES = tests/unit/test_hostcheck.c tests/unit/checklist.h
tests_unit_test_hostcheck_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_hostfacts_SOURCES = tests/unit/test_hostfacts.c tests/unit/trees.h
tests_unit_test_hostfacts_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_cgroup_SOURCES = tests/unit/test_cgroup.c tests/unit/mutate.h \
	tests/unit/trees.h
tests_unit_test_cgroup_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_uevent_SOURCES = tests/unit/test_uevent.c tests/unit/mutate.h \
	tests/unit/repeat.h
tests_unit_test_uevent_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_host_load_SOURCES = tests/unit/test_host_load.c tests/unit/trees.h
tests_unit_test_host_load_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_host_load_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=hwtree_read
tests_unit_test_hostid_SOURCES = tests/unit/test_hostid.c tests/unit/trees.h
tests_unit_test_hostid_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_mounts_SOURCES = tests/unit/test_mounts.c
tests_unit_test_mounts_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_hwexport_SOURCES = tests/unit/test_hwexport.c tests/unit/trees.h
tests_unit_test_hwexport_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_numamaps_SOURCES = tests/unit/test_numamaps.c \
	tests/unit/trees.h
tests_unit_test_numamaps_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_pcidev_SOURCES = tests/unit/test_pcidev.c tests/unit/trees.h
tests_unit_test_pcidev_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
tests_unit_test_sysfs_SOURCES = tests/unit/test_sysfs.c tests/unit/trees.h
tests_unit_test_sysfs_LDADD = $(LINK_HOST) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_host
tests_fuzz_fuzz_host_SOURCES = tests/fuzz/fuzz_host.c $(FUZZ_MAIN)
tests_fuzz_fuzz_host_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_host_LDADD = $(LINK_HOST)
EXTRA_DIST += tests/fuzz/corpus/host

FUZZERS += tests/fuzz/fuzz_sysfs
tests_fuzz_fuzz_sysfs_SOURCES = tests/fuzz/fuzz_sysfs.c tests/unit/trees.h $(FUZZ_MAIN)
tests_fuzz_fuzz_sysfs_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_sysfs_LDADD = $(LINK_HOST)
EXTRA_DIST += tests/fuzz/corpus/sysfs
