noinst_LIBRARIES += src/libact.a
src_libact_a_SOURCES =
