noinst_LIBRARIES += src/libhost.a
src_libhost_a_SOURCES = \
	src/host/hwscan.c src/host/hwscan.h \
	src/host/hwtree.c src/host/hwtree.h \
	src/host/load.c src/host/load.h \
	src/host/sysfs.c src/host/sysfs.h \
	src/host/sysroot.c src/host/sysroot.h \
	src/host/textfile.c src/host/textfile.h
src_libhost_a_CPPFLAGS = $(AM_CPPFLAGS) $(HWLOC_CFLAGS)

check_PROGRAMS += tests/tools/topo_dump
tests_tools_topo_dump_SOURCES = tests/tools/topo_dump.c
tests_tools_topo_dump_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_tools_topo_dump_LDADD = $(LINK_HOST) -lm
