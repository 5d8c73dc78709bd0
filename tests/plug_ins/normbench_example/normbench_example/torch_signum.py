"""Signum as torch has its optimisers."""

import torch


class Signum(torch.optim.Optimizer):
    """m = momentum m + (1 - momentum) G,  W = W - lr sign(m)."""

    def __init__(self, params, lr=0.01, momentum=0.9, nesterov=False):
        if lr < 0:
            raise ValueError(f"lr must not be negative; got {lr}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure=None):
        """One step by the gradients that the parameters have."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            decay = group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                average = state.setdefault("m", torch.zeros_like(weight))
                average.mul_(decay).add_(weight.grad, alpha=1 - decay)
                ahead = decay * average + (1 - decay) * weight.grad if group["nesterov"] else average
                weight.sub_(torch.sign(ahead), alpha=group["lr"])
        return loss
