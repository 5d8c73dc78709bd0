"""What every backend gives and takes: trajectories and trainers."""
