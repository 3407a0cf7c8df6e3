# System tests, in the order in which they run.
SYSTEM_TESTS +=
# What they use, and the demo.
EXTRA_DIST +=
