# Proof that others can use a VM's monitor: rivals like Proxmox's tools.
check_PROGRAMS += tests/share/rival
tests_share_rival_SOURCES = tests/share/rival.c \
	tests/share/client.c tests/share/client.h \
	tests/share/plug.c tests/share/plug.h \
	tests/share/tally.c tests/share/tally.h
tests_share_rival_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_share_rival_LDADD = $(LINK_BASE) -lpthread
