noinst_LIBRARIES += src/libtopo.a
src_libtopo_a_SOURCES = \
	src/topo/agreement.c src/topo/agreement.h \
	src/topo/alike.c src/topo/alike.h \
	src/topo/cluster.c src/topo/cluster.h \
	src/topo/cpuset.c src/topo/cpuset.h \
	src/topo/lat.c src/topo/lat.h \
	src/topo/levels.c src/topo/levels.h \
	src/topo/matrix.c src/topo/matrix.h \
	src/topo/model.c src/topo/model.h \
	src/topo/partition.c src/topo/partition.h \
	src/topo/ranking.c src/topo/ranking.h \
	src/topo/regular.c src/topo/regular.h \
	src/topo/spread.c src/topo/spread.h

# Latencies of real machines for tests, where there are any beside the tree.
TOPO_MEASURED = tests/unit/measured.c tests/unit/measured.h
EXTRA_DIST += tests/data/tiers

if HAVE_CMOCKA
UNIT_TESTS += \
	tests/unit/test_alike \
	tests/unit/test_cluster \
	tests/unit/test_cpuset \
	tests/unit/test_lat \
	tests/unit/test_matrix \
	tests/unit/test_model \
	tests/unit/test_ranking \
	tests/unit/test_ranking_measured
tests_unit_test_alike_SOURCES = tests/unit/test_alike.c $(TOPO_MEASURED)
tests_unit_test_alike_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_cluster_SOURCES = tests/unit/test_cluster.c tests/unit/layouts.h $(TOPO_MEASURED)
tests_unit_test_cluster_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_matrix_SOURCES = tests/unit/test_matrix.c
tests_unit_test_matrix_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_cpuset_SOURCES = tests/unit/test_cpuset.c
tests_unit_test_cpuset_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_lat_SOURCES = tests/unit/test_lat.c tests/unit/layouts.h
tests_unit_test_lat_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_model_SOURCES = tests/unit/test_model.c tests/unit/layouts.h
tests_unit_test_model_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_ranking_SOURCES = tests/unit/test_ranking.c tests/unit/layouts.h
tests_unit_test_ranking_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
tests_unit_test_ranking_measured_SOURCES = tests/unit/test_ranking_measured.c $(TOPO_MEASURED)
tests_unit_test_ranking_measured_LDADD = $(LINK_TOPO) $(CMOCKA_LIBS)
endif
