"""Many runs: plans of them, tuning, and the processes that they are spread over."""
