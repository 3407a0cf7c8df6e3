# Proofs that take longer than make check allows: what analyzers find in src, what tests
# reach, the daemon under valgrind. docs/quality.md has their last results.
EXTRA_DIST += .clang-tidy tests/proof/coverage tests/proof/memcheck
noinst_HEADERS += tests/proof/analyzed.h tests/proof/threads.h

# All folders' flags at once. err.c is what analyzed.h explains.
ANALYZED = $(filter-out %/base/err.c,$(wildcard $(srcdir)/src/*/*.c))
ANALYZE_FLAGS = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(HWLOC_CFLAGS) $(INIH_CFLAGS) \
	$(SMARTCOLS_CFLAGS) $(SYSTEMD_CFLAGS) $(CPPFLAGS) -std=gnu11 \
	-include $(srcdir)/tests/proof/analyzed.h
# One file at a time, as many at once as there are CPUs; all of them, whatever is found.
ANALYZE_EACH = printf '%s\n' $(ANALYZED) | xargs -P "$$(nproc)" -I FILE

analyze: analyze-gcc analyze-tidy analyze-cppcheck

analyze-gcc:
	@command -v gcc >/dev/null || { echo "$@: skipped, no gcc"; exit 0; }; \
	$(ANALYZE_EACH) gcc $(ANALYZE_FLAGS) -O1 -fanalyzer -Werror -c -o /dev/null FILE

analyze-tidy:
	@command -v clang-tidy >/dev/null || { echo "$@: skipped, no clang-tidy"; exit 0; }; \
	$(ANALYZE_EACH) clang-tidy --quiet --config-file=$(srcdir)/.clang-tidy FILE -- $(ANALYZE_FLAGS)

analyze-cppcheck:
	@$(AM_TESTS_ENVIRONMENT) QMPIN_ANALYZE=1 $(srcdir)/tests/lint/cppcheck || test $$? = 77

# Tests of an instrumented build of its own. Some of them run as nobody and must be able to
# write what was reached. Tests that fail are told; what counts is the table.
coverage:
	$(MKDIR_P) coverage
	cd coverage && { test -e Makefile || $(abs_top_srcdir)/configure --enable-coverage \
		--disable-hardening CFLAGS=-g1 $(COVERAGE_CONFIGURE); }
	umask 0 && cd coverage && find . -name '*.gcda' -delete && $(MAKE) && \
		$(MAKE) check TESTS= && chmod -R a+w . && \
		{ QMPIN_QUICK=1 $(MAKE) -k check-unit; $(MAKE) -k check TESTS='$(SYSTEM_TESTS)'; \
		true; }
	$(PYTHON3) $(srcdir)/tests/proof/coverage coverage

# All tests, of programs with ASan, UBSan and LSan, which end with an error by what they find.
check-sanitizers:
	$(MKDIR_P) sanitizers
	cd sanitizers && { test -e Makefile || $(abs_top_srcdir)/configure --enable-sanitizers \
		CC=clang CFLAGS='-O1 -g1' --prefix='$(prefix)' --sysconfdir='$(sysconfdir)' \
		--localstatedir='$(localstatedir)'; }
	cd sanitizers && $(MAKE) check TESTS= && \
		$(abs_top_srcdir)/tests/qemus/qemu-version all $(MAKE) -j$$(($$(nproc) * 2)) check

check-valgrind: all
	@$(AM_TESTS_ENVIRONMENT) $(PYTHON3) -B $(srcdir)/tests/proof/memcheck || test $$? = 77

# Only qmpin-probe has more threads than one. What counts is what ThreadSanitizer reports: it
# has a thread of its own, which some of the tests count.
THREADED = tests/unit/test_meter tests/unit/test_meter_preempted tests/unit/test_rally \
	tests/unit/test_talk
check-threads:
	$(MKDIR_P) threads
	cd threads && { test -e Makefile || $(abs_top_srcdir)/configure --disable-hardening \
		CFLAGS='-O1 -g1 -fsanitize=thread -include $(abs_top_srcdir)/tests/proof/threads.h'; }
	cd threads && $(MAKE) $(THREADED) && rm -f report.* && for t in $(THREADED); do \
		echo "$$t"; TSAN_OPTIONS='die_after_fork=0 log_path=report' \
		timeout 120 $$t >$$t.log 2>&1; test $$? != 124 || exit; done
	@cd threads && ! cat report.* 2>/dev/null

.PHONY: analyze analyze-cppcheck analyze-gcc analyze-tidy check-sanitizers check-threads \
	check-valgrind coverage
