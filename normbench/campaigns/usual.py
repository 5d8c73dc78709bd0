"""Names that the command line and Python share, in a module that loads nothing."""

TASK = "quadrotor-sim"  # where none is named
PEERS = "peers"  # stands for all of them that one of the backends has
TUNE = {"none": 0, "one": 1, "two": 2}  # hyperparameters of an optimiser that are searched
TUNED = "one"
MOST_SEEDS = 100_000  # of one command
WHOLE = "1/1"  # part 1 of 1 of a campaign
