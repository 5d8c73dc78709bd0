"""Automatic gradient descent (arXiv 2304.05187): figures 5 to 7."""
