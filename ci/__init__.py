"""What a CI system calls: the tests, the performance gate, the leaderboard."""
