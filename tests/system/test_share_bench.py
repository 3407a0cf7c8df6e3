#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The short form of `make bench-share`: what qmpind costs others, in each way of sharing.
Too few commands for a p99: medians, retries and failures are judged."""
import sys

from bench_share import case
from runner import main
from vmhost import Host

if __name__ == "__main__":
    sys.exit(main([case("private", "11.1"), case("yield", "7.2"),
                   case("proxy", "7.2")], Host))
