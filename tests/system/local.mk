# System tests, in the order in which they run. Helpers need not be listed: the whole
# folder is distributed.
SYSTEM_TESTS +=
