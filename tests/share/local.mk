# Proof that others can use a VM's monitor: rivals like Proxmox's tools.
check_PROGRAMS += tests/share/rival
tests_share_rival_SOURCES = tests/share/rival.c \
	tests/share/client.c tests/share/client.h \
	tests/share/plug.c tests/share/plug.h \
	tests/share/tally.c tests/share/tally.h
tests_share_rival_LDADD = $(LINK_BASE) -lpthread

share_env = $(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/qemus/qemu-version all

# What sharing costs the others, in full, or BENCH_SHARE=--short.
bench-share: all tests/share/rival
	$(share_env) $(PYTHON3) $(top_srcdir)/tests/system/bench_share.py $(BENCH_SHARE)

# The random troubles, 1000 kills instead of 33.
SOAK = 30
soak-share: all tests/share/rival
	QMPIN_SOAK=$(SOAK) && export QMPIN_SOAK && $(share_env) sh -c 'for t in trouble traces; do \
		$(PYTHON3) $(top_srcdir)/tests/system/test_share_$$t.py || exit; done'

.PHONY: bench-share soak-share
