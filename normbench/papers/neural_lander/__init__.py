"""The network of arXiv 1811.08027 (Neural-Lander) on the data that it was made for."""
