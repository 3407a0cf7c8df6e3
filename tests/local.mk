# Tests that are not a folder's own unit tests: lints and system tests.
