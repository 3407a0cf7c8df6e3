# Tests that are not a folder's own unit tests: lints, fuzz targets, system tests, and
# how all of them are run.

# Every test gets these, and a limit: one that hangs fails. System tests wait QMPIN_TEST_SLACK
# times as long as an idle machine needs for what they wait for.
AM_TESTS_ENVIRONMENT = \
	QMPIN_SRC='$(abs_top_srcdir)'; export QMPIN_SRC; \
	QMPIN_BUILD='$(abs_top_builddir)'; export QMPIN_BUILD; \
	QMPIN_PLAIN='$(PLAIN)'; export QMPIN_PLAIN; \
	QMPIN_SHARED="$${QMPIN_SHARED:-$(abs_top_srcdir)/../shared}"; \
	if test -d "$$QMPIN_SHARED"; then export QMPIN_SHARED; else unset QMPIN_SHARED; fi; \
	QMPIN_TEST_SLACK="$${QMPIN_TEST_SLACK:-4}"; export QMPIN_TEST_SLACK; \
	PYTHON3='$(PYTHON3)'; export PYTHON3; \
	SHELLCHECK='$(SHELLCHECK)'; export SHELLCHECK; \
	CLANG_FORMAT='$(CLANG_FORMAT)'; export CLANG_FORMAT; \
	NM='$(NM)'; AR='$(AR)'; CC='$(CC)'; export NM AR CC; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; \
	UBSAN_OPTIONS=print_stacktrace=1; export UBSAN_OPTIONS;
TEST_LIMIT_S = 500
LOG_COMPILER = timeout
AM_LOG_FLAGS = -k 10 $(TEST_LIMIT_S)

if PLAIN_BUILD
PLAIN = yes
else
PLAIN = no
endif

# Lints: what the style asks, checked. Each first proves on a broken copy that it sees.
LINTS = \
	tests/lint/catalog \
	tests/lint/constants \
	tests/lint/cppcheck \
	tests/lint/format \
	tests/lint/layers \
	tests/lint/listed \
	tests/lint/options \
	tests/lint/package \
	tests/lint/prefixes \
	tests/lint/purity \
	tests/lint/scripts \
	tests/lint/sizes \
	tests/lint/words
EXTRA_DIST += $(LINTS) \
	tests/lint/cppcheck.cfg \
	tests/lint/exceptions \
	tests/lint/lintlib.py \
	tests/lint/loc.py \
	tests/lint/pure \
	tests/qemus/launch \
	tests/qemus/qemu-version \
	tests/release/archive.sh \
	tests/release/chroot-check \
	tests/release/chroot.sh

# System tests: real QEMU and the built programs. tests/system/local.mk lists them.
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(LOG_COMPILER)
AM_PY_LOG_FLAGS = $(AM_LOG_FLAGS)
SYSTEM_TESTS =
ALONE_TESTS =
include tests/bench/local.mk
include tests/faults/local.mk
include tests/fleet/local.mk
include tests/lab/local.mk
include tests/proof/local.mk
include tests/share/local.mk
include tests/sim/local.mk
include tests/system/local.mk
EXTRA_DIST += $(SYSTEM_TESTS) $(ALONE_TESTS)

# In this order, which begins with those that take long: most of the time they wait, and
# "make -j4 check" lets others run meanwhile.
if RUN_SYSTEM_TESTS
TESTS += $(SYSTEM_TESTS) $(ALONE_TESTS)
endif
TESTS += $(LINTS)

# These measure what goes on between CPUs: they run when all others are done, and one by
# one. (Only among the tests that were asked for: TEST_LOGS is what this run is about.)
.DEFAULT_GOAL := all
alone_logs = $(filter $(ALONE_TESTS:.py=.log),$(TEST_LOGS))
last_log := $(filter-out $(ALONE_TESTS:.py=.log),$(TEST_LOGS))
one_by_one := $(foreach log,$(alone_logs),\
	$(eval $(log): $(last_log))$(eval last_log := $(log)))

# Only the programs that test code of ours: for other compilers and instrumented builds.
check-unit: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(UNIT_TESTS) $(REPLAYS)'

# For distcheck, which is about what is in the tarball: tests that look at files there and
# nowhere else. (What is compiled is all named in makefiles: tests/lint/listed.)
TARBALL_SYSTEM = completion config first_path heatmap manpages optin plan schema topology tutorial
TARBALL_UNITS = $(filter $(shell cd $(top_srcdir) && \
	grep -lE 'srcdir|plan_run\.h|qmp_transcripts\.h' tests/unit/*.c | sed 's/\.c$$//'),$(UNIT_TESTS))
TARBALL_TESTS = $(TARBALL_UNITS) $(TARBALL_SYSTEM:%=tests/system/test_%.py)
TARBALL_BUILDS = $(TARBALL_UNITS) tests/fleet/fleet tests/share/rival $(FAULT_SHIM)

# Fuzz targets replay their corpus as tests, or are libFuzzer programs (--enable-fuzzing).
FUZZERS += tests/fuzz/fuzz_cpulist
tests_fuzz_fuzz_cpulist_SOURCES = tests/fuzz/fuzz_cpulist.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cpulist_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_cpulist_LDADD = $(LINK_TOPO)

EXTRA_DIST += tests/fuzz/corpus/cpulist tests/fuzz/run
noinst_HEADERS += tests/fuzz/fuzz.h tests/fuzz/parts.h tests/fuzz/pieces.h

if FUZZING
FUZZ_MAIN =
LINK_FUZZ = -fsanitize=fuzzer
REPLAYS =
noinst_PROGRAMS += $(FUZZERS)
else
FUZZ_MAIN = tests/fuzz/replay.c
LINK_FUZZ =
REPLAYS = $(FUZZERS)
check_PROGRAMS += $(FUZZERS)
TESTS += $(REPLAYS)
endif

# So long each; FUZZ: only those, and what else tests/fuzz/run takes.
SECONDS = 60
FUZZ =
if FUZZING
fuzz: $(FUZZERS)
	$(PYTHON3) $(srcdir)/tests/fuzz/run --seconds $(SECONDS) $(FUZZERS:%=--target %) $(FUZZ)
else
fuzz:
	@echo "make fuzz needs a build configured with CC=clang --enable-fuzzing" >&2; exit 1
endif

.PHONY: check-unit fuzz
EXTRA_DIST += tests/lab
