"""What a run starts from, as plain NumPy arrays: tasks, scaling, initial weights, trivial predictors."""
