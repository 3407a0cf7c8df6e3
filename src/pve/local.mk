noinst_LIBRARIES += src/libpve.a
src_libpve_a_SOURCES = \
	src/pve/optin.h \
	src/pve/vmconf.h

# reading /etc/pve
src_libpve_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libpve_a_SOURCES += \
	src/pve/pvefeed.c src/pve/pvefeed.h \
	src/pve/pvefiles.c src/pve/pvefiles.h \
	src/pve/vmlist.c src/pve/vmlist.h

pvedir = $(libexecdir)/qmpin
pve_PROGRAMS = src/qmpin-pve
src_qmpin_pve_SOURCES = src/pve/main.c
src_qmpin_pve_LDADD = $(LINK_PVE)
