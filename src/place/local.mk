noinst_LIBRARIES += src/libplace.a
src_libplace_a_SOURCES = \
	src/place/adopt.c src/place/adopt.h \
	src/place/allowance.c src/place/allowance.h \
	src/place/better.c src/place/better.h \
	src/place/bounds.c src/place/bounds.h \
	src/place/candidates.c src/place/candidates.h \
	src/place/cores.c src/place/cores.h \
	src/place/emulator.c src/place/emulator.h \
	src/place/entry.c src/place/entry.h \
	src/place/exclusive.c src/place/exclusive.h \
	src/place/explain.c src/place/explain.h \
	src/place/float.c src/place/float.h \
	src/place/tenant.c src/place/tenant.h \
	src/place/footprint.c src/place/footprint.h \
	src/place/guest.c src/place/guest.h \
	src/place/guestcore.c src/place/guestcore.h \
	src/place/harm.c src/place/harm.h \
	src/place/homing.c src/place/homing.h \
	src/place/held.c src/place/held.h \
	src/place/mode.c src/place/mode.h \
	src/place/moves.c src/place/moves.h \
	src/place/narrow.c src/place/narrow.h \
	src/place/objective.c src/place/objective.h \
	src/place/own.c src/place/own.h \
	src/place/pick.c src/place/pick.h \
	src/place/pin.c src/place/pin.h \
	src/place/pinchoice.c src/place/pinchoice.h \
	src/place/pinned.c src/place/pinned.h \
	src/place/pinprice.c src/place/pinprice.h \
	src/place/pinsearch.c src/place/pinsearch.h \
	src/place/planner.c src/place/planner.h src/place/planvm.h \
	src/place/policy.h \
	src/place/reason.c src/place/reason.h \
	src/place/rebalance.c src/place/rebalance.h \
	src/place/repair.c src/place/repair.h \
	src/place/replay.c src/place/replay.h \
	src/place/replay_event.c src/place/replay_event.h \
	src/place/scene.c src/place/scene.h \
	src/place/residency.c src/place/residency.h \
	src/place/score.c src/place/score.h \
	src/place/touch.c src/place/touch.h \
	src/place/search.c src/place/search.h \
	src/place/total.c src/place/total.h \
	src/place/settled.c src/place/settled.h \
	src/place/tree.c src/place/tree.h \
	src/place/unseen.c src/place/unseen.h \
	src/place/wait.c src/place/wait.h \
	src/place/why.c src/place/why.h \
	src/place/widen.c src/place/widen.h \
	src/place/world.c src/place/world.h

# Hosts and VMs for tests of the planner.
PLACE_FLEET = tests/unit/fleet.c tests/unit/fleet.h \
	tests/unit/hosts.c tests/unit/hosts.h tests/unit/surely.h \
	tests/unit/pour.c tests/unit/pour.h tests/unit/cases.h tests/unit/expect.h
# Hosts and VMs of all kinds, and what must hold of their plans.
PLACE_TRIALS = tests/unit/chance.c tests/unit/chance.h \
	tests/unit/hosts.c tests/unit/hosts.h \
	tests/unit/invariants.c tests/unit/invariants.h tests/unit/invariants_list.c \
	tests/unit/invariants_cores.c \
	tests/unit/vmrules.c tests/unit/vmrules.h \
	tests/unit/surely.h \
	tests/unit/trials.c tests/unit/trials.h \
	tests/unit/wild.c tests/unit/wild.h \
	tests/unit/wildhost.c tests/unit/wildhost.h
PLACE_ASKED = tests/unit/asked.c tests/unit/asked.h $(PLACE_FLEET)
PLACE_QUIET = tests/unit/quiet.c tests/unit/quiet.h $(PLACE_FLEET)
# Replays on such hosts.
PLACE_GROUND = tests/unit/ground.c tests/unit/ground.h tests/unit/hosts.c tests/unit/hosts.h

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_allowance
tests_unit_test_allowance_SOURCES = tests/unit/test_allowance.c
tests_unit_test_allowance_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test_candidates
tests_unit_test_candidates_SOURCES = tests/unit/test_candidates.c $(PLACE_FLEET)
tests_unit_test_candidates_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_explain
tests_unit_test_explain_SOURCES = tests/unit/test_explain.c $(PLACE_ASKED)
tests_unit_test_explain_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_explain_words
tests_unit_test_explain_words_SOURCES = tests/unit/test_explain_words.c $(PLACE_ASKED)
tests_unit_test_explain_words_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_reason
tests_unit_test_reason_SOURCES = tests/unit/test_reason.c $(PLACE_ASKED)
tests_unit_test_reason_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_guest
tests_unit_test_guest_SOURCES = tests/unit/test_guest.c $(PLACE_FLEET)
tests_unit_test_guest_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_mode
tests_unit_test_mode_SOURCES = tests/unit/test_mode.c
tests_unit_test_mode_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_moves
tests_unit_test_moves_SOURCES = tests/unit/test_moves.c $(PLACE_FLEET)
tests_unit_test_moves_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test_objective
tests_unit_test_objective_SOURCES = tests/unit/test_objective.c
tests_unit_test_objective_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner
tests_unit_test_planner_SOURCES = tests/unit/test_planner.c $(PLACE_FLEET)
tests_unit_test_planner_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_widen
tests_unit_test_planner_widen_SOURCES = tests/unit/test_planner_widen.c $(PLACE_FLEET)
tests_unit_test_planner_widen_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_core
tests_unit_test_planner_core_SOURCES = tests/unit/test_planner_core.c $(PLACE_FLEET)
tests_unit_test_planner_core_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_exclusive
tests_unit_test_planner_exclusive_SOURCES = tests/unit/test_planner_exclusive.c $(PLACE_FLEET)
tests_unit_test_planner_exclusive_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_exclusive_properties
tests_unit_test_planner_exclusive_properties_SOURCES = \
	tests/unit/test_planner_exclusive_properties.c $(PLACE_FLEET)
tests_unit_test_planner_exclusive_properties_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_bad
tests_unit_test_planner_bad_SOURCES = tests/unit/test_planner_bad.c $(PLACE_FLEET)
tests_unit_test_planner_bad_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_golden
tests_unit_test_planner_golden_SOURCES = tests/unit/test_planner_golden.c $(PLACE_FLEET)
tests_unit_test_planner_golden_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_guest
tests_unit_test_planner_guest_SOURCES = tests/unit/test_planner_guest.c $(PLACE_FLEET)
tests_unit_test_planner_guest_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_homing
tests_unit_test_homing_SOURCES = tests/unit/test_homing.c tests/unit/expect.h $(PLACE_GROUND)
tests_unit_test_homing_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_host
tests_unit_test_planner_host_SOURCES = tests/unit/test_planner_host.c $(PLACE_FLEET)
tests_unit_test_planner_host_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_isolated
tests_unit_test_planner_isolated_SOURCES = tests/unit/test_planner_isolated.c $(PLACE_FLEET)
tests_unit_test_planner_isolated_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_own
tests_unit_test_planner_own_SOURCES = tests/unit/test_planner_own.c $(PLACE_FLEET)
tests_unit_test_planner_own_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_measured
tests_unit_test_planner_measured_SOURCES = tests/unit/test_planner_measured.c $(PLACE_FLEET)
tests_unit_test_planner_measured_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_memory
tests_unit_test_planner_memory_SOURCES = tests/unit/test_planner_memory.c $(PLACE_FLEET)
tests_unit_test_planner_memory_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_total
tests_unit_test_total_SOURCES = tests/unit/test_total.c $(PLACE_FLEET)
tests_unit_test_total_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_search
tests_unit_test_search_SOURCES = tests/unit/test_search.c $(PLACE_FLEET)
tests_unit_test_search_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_narrow
tests_unit_test_narrow_SOURCES = tests/unit/test_narrow.c $(PLACE_QUIET)
tests_unit_test_narrow_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_narrow_kept
tests_unit_test_narrow_kept_SOURCES = tests/unit/test_narrow_kept.c $(PLACE_QUIET)
tests_unit_test_narrow_kept_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_rebalance
tests_unit_test_rebalance_SOURCES = tests/unit/test_rebalance.c $(PLACE_ASKED)
tests_unit_test_rebalance_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_properties
tests_unit_test_planner_properties_SOURCES = tests/unit/test_planner_properties.c \
	$(PLACE_FLEET)
tests_unit_test_planner_properties_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_optimum
tests_unit_test_planner_optimum_SOURCES = tests/unit/test_planner_optimum.c \
	tests/unit/chance.c tests/unit/chance.h $(PLACE_FLEET)
tests_unit_test_planner_optimum_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_planner_random
tests_unit_test_planner_random_SOURCES = tests/unit/test_planner_random.c $(PLACE_TRIALS)
tests_unit_test_planner_random_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_replay
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c $(PLACE_GROUND)
tests_unit_test_replay_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_replay_errors
tests_unit_test_replay_errors_SOURCES = tests/unit/test_replay_errors.c $(PLACE_GROUND)
tests_unit_test_replay_errors_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_replay_memory
tests_unit_test_replay_memory_SOURCES = tests/unit/test_replay_memory.c $(PLACE_GROUND)
tests_unit_test_replay_memory_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test_residency
tests_unit_test_residency_SOURCES = tests/unit/test_residency.c
tests_unit_test_residency_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_score
tests_unit_test_score_SOURCES = tests/unit/test_score.c $(PLACE_FLEET)
tests_unit_test_score_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_tree
tests_unit_test_tree_SOURCES = tests/unit/test_tree.c $(PLACE_FLEET)
tests_unit_test_tree_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test_wait
tests_unit_test_wait_SOURCES = tests/unit/test_wait.c
tests_unit_test_wait_LDADD = $(LINK_PLACE) $(CMOCKA_LIBS)

# Random plans, as many as one has time for: make check-random CASES=100000
CASES = 100000
check-random: tests/unit/test_planner_random
	QMPIN_CASES=$(CASES) tests/unit/test_planner_random

# Golden plans as they come out now, into the source tree: look at git diff.
golden-place: tests/unit/test_planner_golden
	srcdir=$(srcdir) QMPIN_GOLDEN_OUT=$(abs_srcdir)/tests/data/place \
		tests/unit/test_planner_golden

# How far from the best: make check-optimum CASES=3000
check-optimum: tests/unit/test_planner_optimum
	QMPIN_CASES=$(CASES) tests/unit/test_planner_optimum
endif
.PHONY: check-random check-optimum golden-place
EXTRA_DIST += tests/data/place

FUZZERS += tests/fuzz/fuzz_planner
tests_fuzz_fuzz_planner_SOURCES = tests/fuzz/fuzz_planner.c $(PLACE_TRIALS) $(FUZZ_MAIN)
tests_fuzz_fuzz_planner_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZ)
tests_fuzz_fuzz_planner_LDADD = $(LINK_PLACE)
EXTRA_DIST += tests/fuzz/corpus/planner
