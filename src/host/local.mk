noinst_LIBRARIES += src/libhost.a
src_libhost_a_SOURCES =
