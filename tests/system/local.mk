# System tests, those first that take long, and those that want the machine to themselves.
SYSTEM_TESTS += \
	tests/system/test_share_trouble.py \
	tests/system/test_hostile.py \
	tests/system/test_share_ways.py \
	tests/system/test_share_traces.py \
	tests/system/test_clients.py \
	tests/system/test_scale.py \
	tests/system/test_soak.py \
	tests/system/test_many.py \
	tests/system/test_drift.py \
	tests/system/test_races.py \
	tests/system/test_hotplug.py \
	tests/system/test_life.py \
	tests/system/test_plan.py \
	tests/system/test_mode.py \
	tests/system/test_modes.py \
	tests/system/test_heatmap.py \
	tests/system/test_restart.py \
	tests/system/test_removal.py \
	tests/system/test_schema.py \
	tests/system/test_shown.py \
	tests/system/test_undo.py \
	tests/system/test_config.py \
	tests/system/test_optin.py \
	tests/system/test_completion.py \
	tests/system/test_doctor.py \
	tests/system/test_first_path.py \
	tests/system/test_limit.py \
	tests/system/test_manpages.py \
	tests/system/test_memory.py \
	tests/system/test_kin.py \
	tests/system/test_notify.py \
	tests/system/test_truth.py \
	tests/system/test_tutorial.py \
	tests/system/test_terminal.py \
	tests/system/test_topology.py
ALONE_TESTS += \
	tests/system/test_probe.py \
	tests/system/test_measuring.py
# What they use, the demo and the measurements.
EXTRA_DIST += \
	tests/system/bench.py \
	tests/system/bench_scale.py \
	tests/system/bench_share.py \
	tests/system/browser.py \
	tests/system/churn.py \
	tests/system/daemon.py \
	tests/system/demo \
	tests/system/fakeqmp.py \
	tests/system/figures.py \
	tests/system/fleet.py \
	tests/system/guest-ack.S \
	tests/system/measure.py \
	tests/system/runner.py \
	tests/system/sharing.py \
	tests/system/terminal.py \
	tests/system/varlink.py \
	tests/system/vmhost.py
