"""What a CI system calls: the tests, the performance gate, the leaderboard."""

from ci.lacks import say_in_one_line

say_in_one_line()
