noinst_LIBRARIES += src/libpve.a
src_libpve_a_SOURCES = \
	src/pve/optin.h \
	src/pve/vmconf.h
