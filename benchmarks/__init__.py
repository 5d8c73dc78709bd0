"""The asv suite of normbench; docs/benchmarks.md says what it measures and how to run it."""

import sys

if sys.argv[:1] == ["-m"]:  # asv imports this in environments of its own, without the folder ci
    from ci.lacks import say_in_one_line

    say_in_one_line()
