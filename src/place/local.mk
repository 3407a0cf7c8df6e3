noinst_LIBRARIES += src/libplace.a
src_libplace_a_SOURCES =
