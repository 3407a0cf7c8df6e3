noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/attr.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h \
	src/base/json.c src/base/json.h \
	src/base/log.c src/base/log.h \
	src/base/str.c src/base/str.h \
	src/base/xalloc.c src/base/xalloc.h
