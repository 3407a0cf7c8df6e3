noinst_LIBRARIES += src/libact.a
src_libact_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libact_a_SOURCES = \
	src/act/affinity.c src/act/affinity.h \
	src/act/bootid.c src/act/bootid.h \
	src/act/record.c src/act/record.h \
	src/act/statefile.c src/act/statefile.h
