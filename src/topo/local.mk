noinst_LIBRARIES += src/libtopo.a
src_libtopo_a_SOURCES = \
	src/topo/cpuset.c src/topo/cpuset.h \
	src/topo/lat.c src/topo/lat.h \
	src/topo/model.c src/topo/model.h \
	src/topo/ranking.c src/topo/ranking.h
