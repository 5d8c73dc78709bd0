"""normbench in PyTorch: the optimisers as ``torch.optim.Optimizer`` classes, and the trainer of the benchmark."""

from normbench.torch.optimizers import AGD, FGSGD, LARS, Fromage, Method1, Method2, Method2Exp

__all__ = ["AGD", "FGSGD", "LARS", "Fromage", "Method1", "Method2", "Method2Exp"]
