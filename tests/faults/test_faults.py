#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A handful of what tests/faults/run lets go wrong, others each time QMPIN_SEED says so."""
import os
import subprocess
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(subprocess.run([sys.executable, "-B", os.path.join(here, "run"), "--handful",
                             os.environ.get("QMPIN_SEED", "1")], check=False).returncode)
