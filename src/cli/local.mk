noinst_LIBRARIES += src/libcli.a
src_libcli_a_SOURCES = \
	src/cli/args.c src/cli/args.h \
	src/cli/cmd.c src/cli/cmd.h \
	src/cli/cmd_help.c src/cli/cmd_help.h \
	src/cli/cmd_ps.c src/cli/cmd_ps.h \
	src/cli/cmd_status.c src/cli/cmd_status.h \
	src/cli/cmd_version.c src/cli/cmd_version.h \
	src/cli/out.c src/cli/out.h \
	src/cli/session.c src/cli/session.h \
	src/cli/table.c src/cli/table.h \
	src/cli/vms.c src/cli/vms.h
src_libcli_a_CPPFLAGS = $(AM_CPPFLAGS) $(SMARTCOLS_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += src/qmpin
src_qmpin_SOURCES = src/cli/main.c
src_qmpin_LDADD = $(LINK_CLI)
