noinst_LIBRARIES += src/libctl.a
src_libctl_a_SOURCES =
