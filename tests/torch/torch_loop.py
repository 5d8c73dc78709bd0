"""What a user writes around the torch.optim classes, for the tests of them."""

from contextlib import contextmanager

import torch

from normbench.torch.optimizers import DROP_INS
from normbench.torch.optimizers.averages import Averaging

CLASSES = {key: kind for key, kind in DROP_INS.items() if key != "fgsgd"}  # which has tests/agreement/manifolds
FIRST_ORDER = {key: kind for key, kind in CLASSES.items() if not kind.differentiates}


class Loop:
    """What a user writes: a bias-free perceptron, a square loss, an optimiser, and steps."""

    def __init__(self, case, *, dtype=torch.float64, loss_factor=1.0, **options):
        self.x, self.y = (torch.tensor(a, dtype=dtype) for a in (case.problem.x_train, case.problem.y_train))
        self.scale = loss_factor / (2 * case.problem.loss_divisor * len(self.x))
        modules = []
        for w in case.problem.weights:
            modules += [torch.nn.Linear(*w.T.shape, bias=False, dtype=dtype), torch.nn.ReLU()]
            modules[-2].weight.data.copy_(torch.tensor(w))
        self.model = torch.nn.Sequential(*modules[:-1])
        hyper = {"lr" if name == "learning_rate" else name: value for name, value in case.options.items()}
        self.optimizer = CLASSES[case.key](self.model.parameters(), **hyper, **options)
        self.losses, self.step_sizes = [], []

    def loss(self):
        return (self.model(self.x) - self.y).square().sum() * self.scale

    def backward(self):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss

    def step(self):
        """One step; the loss where its gradient was taken."""
        with self.evaluated():
            loss = self.loss()
        if self.optimizer.differentiates:
            start = self.optimizer.step(self.loss)
            loss = loss if self.averages else start
        else:
            start = self.backward()
            self.optimizer.step()
        group = self.optimizer.param_groups[0]
        self.losses.append(loss.item())
        self.step_sizes.append(group["step_size"] if "step_size" in group else group["lr"])
        return start.item()

    @contextmanager
    def evaluated(self):
        """The weights that are evaluated, where an optimiser has others to train."""
        if self.averages:
            self.optimizer.eval()
        yield
        if self.averages:
            self.optimizer.train()

    @property
    def averages(self):
        return isinstance(self.optimizer, Averaging)

    def run(self, steps):
        for _ in range(steps):
            self.step()
        return self

    def results(self):
        with self.evaluated():
            return [*self.losses, self.loss().item()], self.step_sizes, [w.double().numpy() for w in self.weights()]

    def weights(self):
        return [p.detach().clone() for p in self.model.parameters()]


def same(left, right):
    return all(map(torch.equal, left, right))
