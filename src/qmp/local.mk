noinst_LIBRARIES += src/libqmp.a
src_libqmp_a_SOURCES = \
	src/qmp/answer.c src/qmp/answer.h \
	src/qmp/backlog.c src/qmp/backlog.h \
	src/qmp/backoff.c src/qmp/backoff.h \
	src/qmp/caller.c src/qmp/caller.h \
	src/qmp/callers.c src/qmp/callers.h \
	src/qmp/dial.c src/qmp/dial.h \
	src/qmp/event.h \
	src/qmp/facts.c src/qmp/facts.h \
	src/qmp/fdpass.c src/qmp/fdpass.h \
	src/qmp/frame.c src/qmp/frame.h \
	src/qmp/guard.c src/qmp/guard.h \
	src/qmp/jstring.c src/qmp/jstring.h \
	src/qmp/link.c src/qmp/link.h \
	src/qmp/listener.c src/qmp/listener.h \
	src/qmp/member.c src/qmp/member.h \
	src/qmp/message.c src/qmp/message.h \
	src/qmp/monitor.c src/qmp/monitor.h \
	src/qmp/mux.c src/qmp/mux.h \
	src/qmp/private.c src/qmp/private.h \
	src/qmp/proxy.c src/qmp/proxy.h \
	src/qmp/reception.c src/qmp/reception.h \
	src/qmp/reply.c src/qmp/reply.h \
	src/qmp/request.c src/qmp/request.h \
	src/qmp/seat.c src/qmp/seat.h \
	src/qmp/session.c src/qmp/session.h \
	src/qmp/share.c src/qmp/share.h \
	src/qmp/token.c src/qmp/token.h
src_libqmp_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)

EXTRA_DIST += \
	tests/data/qmp \
	tests/fuzz/corpus/mux \
	tests/fuzz/corpus/qmp_stream \
	tests/fuzz/qmp_stream.dict

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_backoff \
	tests/unit/test_facts \
	tests/unit/test_frame \
	tests/unit/test_link \
	tests/unit/test_message \
	tests/unit/test_monitor \
	tests/unit/test_monitor_qemu \
	tests/unit/test_mux \
	tests/unit/test_proxy \
	tests/unit/test_proxy_fds \
	tests/unit/test_proxy_qemu \
	tests/unit/test_reply \
	tests/unit/test_request \
	tests/unit/test_session \
	tests/unit/test_share \
	tests/unit/test_qmp_stream

qmp_transcripts = tests/unit/qmp_transcripts.c tests/unit/qmp_transcripts.h
qmp_fakes = \
	tests/unit/qmp_server.c tests/unit/qmp_server.h \
	tests/unit/qmp_watch.c tests/unit/qmp_watch.h
qmp_test_cppflags = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_backoff_SOURCES = tests/unit/test_backoff.c
tests_unit_test_backoff_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_backoff_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_facts_SOURCES = tests/unit/test_facts.c $(qmp_transcripts)
tests_unit_test_facts_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_facts_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_frame_SOURCES = tests/unit/test_frame.c $(qmp_transcripts)
tests_unit_test_frame_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_frame_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_message_SOURCES = tests/unit/test_message.c $(qmp_transcripts)
tests_unit_test_message_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_message_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_link_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_SOURCES = tests/unit/test_monitor.c $(qmp_fakes)
tests_unit_test_monitor_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_monitor_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_qemu_SOURCES = tests/unit/test_monitor_qemu.c $(qmp_fakes)
tests_unit_test_monitor_qemu_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_monitor_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

proxy_fakes = tests/unit/proxy_host.c tests/unit/proxy_host.h

tests_unit_test_mux_SOURCES = tests/unit/test_mux.c
tests_unit_test_mux_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_mux_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_reply_SOURCES = tests/unit/test_reply.c
tests_unit_test_reply_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_reply_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_request_SOURCES = tests/unit/test_request.c
tests_unit_test_request_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_request_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c $(proxy_fakes)
tests_unit_test_proxy_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_proxy_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

proxy_qemu = $(proxy_fakes) tests/unit/proxy_qemu.c tests/unit/proxy_qemu.h

tests_unit_test_proxy_fds_SOURCES = tests/unit/test_proxy_fds.c $(proxy_qemu)
tests_unit_test_proxy_fds_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_proxy_fds_LDADD = $(LINK_QMP) $(CMOCKA_LIBS) -lpthread

tests_unit_test_proxy_qemu_SOURCES = tests/unit/test_proxy_qemu.c $(proxy_qemu)
tests_unit_test_proxy_qemu_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_proxy_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS) -lpthread

tests_unit_test_qmp_stream_SOURCES = tests/unit/test_qmp_stream.c \
	tests/fuzz/fuzz_qmp_stream.c
tests_unit_test_qmp_stream_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_qmp_stream_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_session_SOURCES = tests/unit/test_session.c $(qmp_transcripts)
tests_unit_test_session_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_session_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_share_SOURCES = tests/unit/test_share.c
tests_unit_test_share_CPPFLAGS = $(qmp_test_cppflags)
tests_unit_test_share_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)
endif

# With its dictionary, by hand: fuzz_qmp_stream -dict=tests/fuzz/qmp_stream.dict NEW CORPUS
if FUZZING
FUZZERS += tests/fuzz/fuzz_qmp_stream
tests_fuzz_fuzz_qmp_stream_SOURCES = tests/fuzz/fuzz_qmp_stream.c
tests_fuzz_fuzz_qmp_stream_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_qmp_stream_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_qmp_stream_LDADD = $(LINK_QMP)
endif

FUZZERS += tests/fuzz/fuzz_mux
tests_fuzz_fuzz_mux_SOURCES = tests/fuzz/fuzz_mux.c $(FUZZ_MAIN)
tests_fuzz_fuzz_mux_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_mux_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_mux_LDADD = $(LINK_QMP)
