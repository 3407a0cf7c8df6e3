noinst_LIBRARIES += src/libqmp.a
src_libqmp_a_SOURCES =
