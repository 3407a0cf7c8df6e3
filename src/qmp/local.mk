noinst_LIBRARIES += src/libqmp.a
src_libqmp_a_SOURCES = \
	src/qmp/answer.c src/qmp/answer.h \
	src/qmp/backlog.c src/qmp/backlog.h \
	src/qmp/backoff.c src/qmp/backoff.h \
	src/qmp/caller.c src/qmp/caller.h \
	src/qmp/callers.c src/qmp/callers.h \
	src/qmp/dial.c src/qmp/dial.h \
	src/qmp/door.c src/qmp/door.h \
	src/qmp/event.h \
	src/qmp/facts.c src/qmp/facts.h \
	src/qmp/fdpass.c src/qmp/fdpass.h \
	src/qmp/frame.c src/qmp/frame.h \
	src/qmp/accepted.c src/qmp/accepted.h \
	src/qmp/ending.c src/qmp/ending.h \
	src/qmp/guard.c src/qmp/guard.h \
	src/qmp/guard_child.c src/qmp/guard_child.h \
	src/qmp/guard_process.c src/qmp/guard_process.h \
	src/qmp/guard_table.c src/qmp/guard_table.h \
	src/qmp/guard_wire.c src/qmp/guard_wire.h \
	src/qmp/jstring.c src/qmp/jstring.h \
	src/qmp/link.c src/qmp/link.h \
	src/qmp/listener.c src/qmp/listener.h \
	src/qmp/memdevs.c src/qmp/memdevs.h \
	src/qmp/member.c src/qmp/member.h \
	src/qmp/message.c src/qmp/message.h \
	src/qmp/monitor.c src/qmp/monitor.h src/qmp/monitor_state.h \
	src/qmp/monitor_line.c src/qmp/monitor_visit.c \
	src/qmp/mux.c src/qmp/mux.h \
	src/qmp/private.c src/qmp/private.h \
	src/qmp/proxy.c src/qmp/proxy.h \
	src/qmp/reception.c src/qmp/reception.h \
	src/qmp/reply.c src/qmp/reply.h \
	src/qmp/request.c src/qmp/request.h \
	src/qmp/rota.c src/qmp/rota.h \
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
	tests/unit/test_answer \
	tests/unit/test_backlog \
	tests/unit/test_backoff \
	tests/unit/test_facts \
	tests/unit/test_memdevs \
	tests/unit/test_frame \
	tests/unit/test_guard \
	tests/unit/test_guard_qemu \
	tests/unit/test_guard_stopped \
	tests/unit/test_guard_table \
	tests/unit/test_jstring \
	tests/unit/test_link \
	tests/unit/test_listener \
	tests/unit/test_listener_clients \
	tests/unit/test_listener_limits \
	tests/unit/test_listener_qemu \
	tests/unit/test_message \
	tests/unit/test_monitor \
	tests/unit/test_monitor_private \
	tests/unit/test_monitor_qemu \
	tests/unit/test_monitor_share \
	tests/unit/test_monitor_stopped \
	tests/unit/test_private \
	tests/unit/test_private_qemu \
	tests/unit/test_reception \
	tests/unit/test_reception_file \
	tests/unit/test_mux \
	tests/unit/test_proxy \
	tests/unit/test_proxy_fds \
	tests/unit/test_proxy_qemu \
	tests/unit/test_reply \
	tests/unit/test_request \
	tests/unit/test_rota \
	tests/unit/test_session \
	tests/unit/test_share \
	tests/unit/test_qmp_stream

qmp_transcripts = tests/unit/qmp_transcripts.c tests/unit/qmp_transcripts.h
qmp_fakes = \
	tests/unit/qmp_server.c tests/unit/qmp_server.h \
	tests/unit/qmp_watch.c tests/unit/qmp_watch.h
qmp_real = tests/unit/qmp_qemu.c tests/unit/qmp_qemu.h

tests_unit_test_backoff_SOURCES = tests/unit/test_backoff.c
tests_unit_test_backoff_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_facts_SOURCES = tests/unit/test_facts.c $(qmp_transcripts)
tests_unit_test_facts_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_memdevs_SOURCES = tests/unit/test_memdevs.c
tests_unit_test_memdevs_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_frame_SOURCES = tests/unit/test_frame.c $(qmp_transcripts)
tests_unit_test_frame_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_answer_SOURCES = tests/unit/test_answer.c tests/unit/spans.h
tests_unit_test_answer_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_jstring_SOURCES = tests/unit/test_jstring.c tests/unit/spans.h
tests_unit_test_jstring_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

guard_world = tests/unit/guard_world.c tests/unit/guard_world.h \
	tests/unit/procs.c tests/unit/procs.h

tests_unit_test_guard_SOURCES = tests/unit/test_guard.c $(guard_world)
tests_unit_test_guard_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_guard_qemu_SOURCES = tests/unit/test_guard_qemu.c $(guard_world)
tests_unit_test_guard_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_guard_stopped_SOURCES = tests/unit/test_guard_stopped.c $(guard_world)
tests_unit_test_guard_stopped_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_guard_table_SOURCES = tests/unit/test_guard_table.c
tests_unit_test_guard_table_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)
holder = tests/unit/holder.c tests/unit/holder.h tests/unit/procs.c tests/unit/procs.h

tests_unit_test_backlog_SOURCES = tests/unit/test_backlog.c $(holder)
tests_unit_test_backlog_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

listener_world = tests/unit/listener_world.c tests/unit/listener_world.h $(holder)

tests_unit_test_listener_SOURCES = tests/unit/test_listener.c $(listener_world)
tests_unit_test_listener_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_listener_clients_SOURCES = tests/unit/test_listener_clients.c $(holder)
tests_unit_test_listener_clients_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_listener_limits_SOURCES = tests/unit/test_listener_limits.c $(listener_world)
tests_unit_test_listener_limits_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_listener_qemu_SOURCES = tests/unit/test_listener_qemu.c $(holder)
tests_unit_test_listener_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_message_SOURCES = tests/unit/test_message.c $(qmp_transcripts)
tests_unit_test_message_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_SOURCES = tests/unit/test_monitor.c $(qmp_fakes)
tests_unit_test_monitor_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_private_SOURCES = tests/unit/test_monitor_private.c \
	$(qmp_fakes) $(qmp_real)
tests_unit_test_monitor_private_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_qemu_SOURCES = tests/unit/test_monitor_qemu.c $(qmp_fakes) \
	$(qmp_real)
tests_unit_test_monitor_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_share_SOURCES = tests/unit/test_monitor_share.c $(qmp_fakes) \
	$(qmp_real)
tests_unit_test_monitor_share_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_monitor_stopped_SOURCES = tests/unit/test_monitor_stopped.c \
	$(qmp_fakes) $(qmp_real)
tests_unit_test_monitor_stopped_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_private_SOURCES = tests/unit/test_private.c $(qmp_transcripts) \
	tests/unit/mutate.h
tests_unit_test_private_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_private_qemu_SOURCES = tests/unit/test_private_qemu.c
tests_unit_test_private_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

qmp_diallers = tests/unit/diallers.c tests/unit/diallers.h
tests_unit_test_reception_SOURCES = tests/unit/test_reception.c $(qmp_diallers)
tests_unit_test_reception_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_reception_file_SOURCES = tests/unit/test_reception_file.c $(qmp_diallers)
tests_unit_test_reception_file_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)
proxy_fakes = tests/unit/proxy_host.c tests/unit/proxy_host.h

tests_unit_test_mux_SOURCES = tests/unit/test_mux.c tests/unit/spans.h
tests_unit_test_mux_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_reply_SOURCES = tests/unit/test_reply.c
tests_unit_test_reply_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_request_SOURCES = tests/unit/test_request.c
tests_unit_test_request_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c $(proxy_fakes)
tests_unit_test_proxy_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

proxy_qemu = $(proxy_fakes) tests/unit/proxy_qemu.c tests/unit/proxy_qemu.h

tests_unit_test_proxy_fds_SOURCES = tests/unit/test_proxy_fds.c $(proxy_qemu)
tests_unit_test_proxy_fds_LDADD = $(LINK_QMP) $(CMOCKA_LIBS) -lpthread

tests_unit_test_proxy_qemu_SOURCES = tests/unit/test_proxy_qemu.c $(proxy_qemu)
tests_unit_test_proxy_qemu_LDADD = $(LINK_QMP) $(CMOCKA_LIBS) -lpthread

tests_unit_test_qmp_stream_SOURCES = tests/unit/test_qmp_stream.c \
	tests/fuzz/fuzz_qmp_stream.c
tests_unit_test_qmp_stream_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_rota_SOURCES = tests/unit/test_rota.c
tests_unit_test_rota_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_session_SOURCES = tests/unit/test_session.c $(qmp_transcripts)
tests_unit_test_session_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)

tests_unit_test_share_SOURCES = tests/unit/test_share.c
tests_unit_test_share_LDADD = $(LINK_QMP) $(CMOCKA_LIBS)
endif

FUZZERS += tests/fuzz/fuzz_qmp_stream
tests_fuzz_fuzz_qmp_stream_SOURCES = tests/fuzz/fuzz_qmp_stream.c $(FUZZ_MAIN)
tests_fuzz_fuzz_qmp_stream_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_qmp_stream_LDADD = $(LINK_QMP)

FUZZERS += tests/fuzz/fuzz_private
tests_fuzz_fuzz_private_SOURCES = tests/fuzz/fuzz_private.c $(FUZZ_MAIN)
tests_fuzz_fuzz_private_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_private_LDADD = $(LINK_QMP)

FUZZERS += tests/fuzz/fuzz_mux
tests_fuzz_fuzz_mux_SOURCES = tests/fuzz/fuzz_mux.c $(FUZZ_MAIN)
tests_fuzz_fuzz_mux_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_mux_LDADD = $(LINK_QMP)
