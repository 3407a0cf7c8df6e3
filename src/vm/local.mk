noinst_LIBRARIES += src/libvm.a
src_libvm_a_SOURCES =
