"""Fromage (arXiv 2002.03432): figures 1 to 4, and the GAN of Table 1."""
