noinst_LIBRARIES += src/libctl.a
src_libctl_a_SOURCES = \
	src/ctl/address.c src/ctl/address.h \
	src/ctl/axis.c src/ctl/axis.h \
	src/ctl/call.c src/ctl/call.h \
	src/ctl/refusals.c \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/conn.c src/ctl/conn.h \
	src/ctl/heatmap.h \
	src/ctl/heatmap_svg.c \
	src/ctl/heatmap_text.c \
	src/ctl/idl.c src/ctl/idl.h \
	src/ctl/lanes.c src/ctl/lanes.h \
	src/ctl/ink.c src/ctl/ink.h \
	src/ctl/latency.c src/ctl/latency.h \
	src/ctl/legend.c src/ctl/legend.h \
	src/ctl/listen.c src/ctl/listen.h \
	src/ctl/metrics.c src/ctl/metrics.h \
	src/ctl/palette.c src/ctl/palette.h \
	src/ctl/png.c src/ctl/png.h \
	src/ctl/remote.c src/ctl/remote.h \
	src/ctl/scale.c src/ctl/scale.h \
	src/ctl/server.c src/ctl/server.h \
	src/ctl/service.c src/ctl/service.h \
	src/ctl/shapes.c src/ctl/shapes.h \
	src/ctl/svg_cells.c src/ctl/svg_cells.h \
	src/ctl/svg_legend.c src/ctl/svg_legend.h \
	src/ctl/svg_page.h \
	src/ctl/svg_vms.c src/ctl/svg_vms.h \
	src/ctl/text.h \
	src/ctl/topology.c src/ctl/topology.h \
	src/ctl/varlink.c src/ctl/varlink.h \
	src/ctl/utf8.c src/ctl/utf8.h \
	src/ctl/xml.c src/ctl/xml.h
nodist_src_libctl_a_SOURCES = src/ctl/text.c
src_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)

# The interface descriptions become C strings, one for each file.
CTL_INTERFACES = src/ctl/io.qmpin.varlink src/ctl/org.varlink.service.varlink
EXTRA_DIST += $(CTL_INTERFACES)
CLEANFILES += src/ctl/text.c

src/ctl/text.c: $(CTL_INTERFACES) src/ctl/local.mk
	$(AM_V_GEN)$(MKDIR_P) src/ctl && { \
	echo '/* Made from the .varlink files; see local.mk. */'; \
	echo '#include "ctl/text.h"'; \
	for name in io.qmpin org.varlink.service; do \
		echo "const char text_$$(echo $$name | tr . _)[] ="; \
		sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$$/\\n"/' \
			"$(srcdir)/src/ctl/$$name.varlink" || exit 1; \
		echo '	;'; \
	done; } >$@.tmp && mv $@.tmp $@

if HAVE_CMOCKA
CTL_WORLD = tests/unit/ctl_world.c tests/unit/ctl_world.h tests/unit/ctl_world_methods.c \
	tests/unit/layouts.h

UNIT_TESTS += tests/unit/test_varlink
tests_unit_test_varlink_SOURCES = tests/unit/test_varlink.c
tests_unit_test_varlink_LDADD = src/libctl.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_varlink_idl
tests_unit_test_varlink_idl_SOURCES = tests/unit/test_varlink_idl.c
tests_unit_test_varlink_idl_LDADD = src/libctl.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_shapes
tests_unit_test_shapes_SOURCES = tests/unit/test_shapes.c
tests_unit_test_shapes_LDADD = src/libctl.a $(LINK_BASE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_ctl_latency
tests_unit_test_ctl_latency_SOURCES = tests/unit/test_ctl_latency.c tests/unit/layouts.h \
	tests/unit/mutate.h
tests_unit_test_ctl_latency_LDADD = src/libctl.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_ctl_topology
tests_unit_test_ctl_topology_SOURCES = tests/unit/test_ctl_topology.c \
	tests/unit/hosts.c tests/unit/hosts.h
tests_unit_test_ctl_topology_LDADD = src/libctl.a $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_LDADD = src/libctl.a $(LINK_BASE) $(CMOCKA_LIBS)

HEAT_HOSTS = tests/unit/heat_hosts.c tests/unit/heat_hosts.h

UNIT_TESTS += tests/unit/test_heatmap
tests_unit_test_heatmap_SOURCES = tests/unit/test_heatmap.c $(HEAT_HOSTS)
tests_unit_test_heatmap_LDADD = src/libctl.a $(LINK_TOPO) $(CMOCKA_LIBS) -lm

UNIT_TESTS += tests/unit/test_heatmap_svg
tests_unit_test_heatmap_svg_SOURCES = tests/unit/test_heatmap_svg.c $(HEAT_HOSTS)
tests_unit_test_heatmap_svg_LDADD = src/libctl.a $(LINK_TOPO) $(CMOCKA_LIBS) -lm

UNIT_TESTS += tests/unit/test_ctl_server
tests_unit_test_ctl_server_SOURCES = tests/unit/test_ctl_server.c $(CTL_WORLD)
tests_unit_test_ctl_server_LDADD = $(LINK_CTL) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_ctl_server_load
tests_unit_test_ctl_server_load_SOURCES = tests/unit/test_ctl_server_load.c $(CTL_WORLD)
tests_unit_test_ctl_server_load_LDADD = $(LINK_CTL) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_ctl_listen
tests_unit_test_ctl_listen_SOURCES = tests/unit/test_ctl_listen.c $(CTL_WORLD)
tests_unit_test_ctl_listen_LDADD = $(LINK_CTL) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_ctl_client
tests_unit_test_ctl_client_SOURCES = tests/unit/test_ctl_client.c $(CTL_WORLD)
tests_unit_test_ctl_client_LDADD = $(LINK_CTL) $(CMOCKA_LIBS)
endif

EXTRA_DIST += tests/fuzz/corpus/varlink tests/fuzz/varlink.dict

# The interface as it was released, for whoever asks whether it has only grown.
EXTRA_DIST += tests/data/ctl

FUZZERS += tests/fuzz/fuzz_varlink
tests_fuzz_fuzz_varlink_SOURCES = tests/fuzz/fuzz_varlink.c $(FUZZ_MAIN)
tests_fuzz_fuzz_varlink_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_varlink_LDADD = src/libctl.a $(LINK_BASE)

FUZZERS += tests/fuzz/fuzz_ctl_conn
tests_fuzz_fuzz_ctl_conn_SOURCES = tests/fuzz/fuzz_ctl_conn.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ctl_conn_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_ctl_conn_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_ctl_conn_LDADD = $(LINK_CTL)
EXTRA_DIST += tests/fuzz/corpus/ctl_conn

FUZZERS += tests/fuzz/fuzz_shown
tests_fuzz_fuzz_shown_SOURCES = tests/fuzz/fuzz_shown.c tests/unit/layouts.h $(FUZZ_MAIN)
tests_fuzz_fuzz_shown_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_shown_LDADD = $(LINK_CTL)
EXTRA_DIST += tests/fuzz/corpus/shown

FUZZERS += tests/fuzz/fuzz_reply
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_reply_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_reply_LDADD = $(LINK_CTL)
EXTRA_DIST += tests/fuzz/corpus/reply
