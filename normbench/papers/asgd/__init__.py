"""The two automatic methods on products of spheres (arXiv 2312.10672): experiments 1 and 2."""
