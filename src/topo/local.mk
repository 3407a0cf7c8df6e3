noinst_LIBRARIES += src/libtopo.a
src_libtopo_a_SOURCES = \
	src/topo/cpuset.c src/topo/cpuset.h
# model.c model.h ranking.c ranking.h are added with their code
