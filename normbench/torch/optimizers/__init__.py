"""The updates as ``torch.optim.Optimizer`` classes, for a user's own network and loop.

Each class is a thin loop around the pure update of its family. What holds for all of them:

- ``p.grad`` is read and never changed; Method1, GeodesicLBFGS and OnlineLBFGS do not look at it: they take the loss
  from a closure and differentiate it themselves. Where it is read, everything that fills it works: several
  ``backward()`` calls that accumulate, DistributedDataParallel, ``torch.amp.GradScaler``.
- One gate takes parameters and options: what a class cannot move is refused by name when it is given, and a state is
  checked when it is loaded. Labels of a group that are no options are carried along, as in torch.optim.
- Weights keep their dtype; norms and steps are computed in float32 at least, right from 1e-30 to 1e30. For mixed
  precision leave weights in float32 and put ``torch.autocast`` around the forward pass (where there is a closure:
  inside it).
- Radii and norm bounds are those of the weights when a step is taken, also of weights that are loaded later
  (FGSGD, GeodesicLBFGS, OnlineLBFGS and PolarAverage refuse those that have left their manifolds or balls).
- A gradient that is not finite shows: in its layer where layers move alone (Fromage, LARS, FGSGD, PolarAverage), in all
  that move where the step couples them. A parameter without a gradient is named in a :class:`NotReachedWarning`: by
  the coupled classes and PolarAverage whenever one is missing, by the others if a step finds none at all.
- The classes without a learning rate keep ``lr = 1.0`` for schedulers and loggers, and refuse another value.
- All operations run over lists of tensors (torch's ``_foreach`` functions) where there is one, so there is no
  ``foreach`` argument to choose between two paths; nor ``maximize``, ``weight_decay`` or ``fused``.
- Fromage, LARS and AGD never wait for the device and compile: ``torch.compile(optimizer.step)``. Method1, Method2,
  GeodesicLBFGS and OnlineLBFGS decide on the host how far to go, Method2Exp works out its angle there, PolarAverage
  looks at norms there; FGSGD's step is left as it is by compilation.
- PolarAverage and OnlineLBFGS have weights for training and others for evaluation, which ``eval()`` and ``train()``
  exchange.
- ``state_dict`` holds all that a run needs to go on with the same bits.
"""

from normbench import specs
from normbench.backends.method import implementations
from normbench.errors import install

try:
    import torch
except ModuleNotFoundError as error:  # still of that kind, for those who ask by an import whether it is there
    remedy = f"normbench.torch needs {error.name}, which is not installed: {install('torch')}"
    raise ModuleNotFoundError(remedy, name=error.name) from error

from normbench.torch.parametrized import parametrize

DROP_INS: dict[str, type[torch.optim.Optimizer]] = implementations(
    "normbench.torch.optimizers",
    specs.AUTOMATIC,
    lambda module, key: next((c for c in vars(module).values() if getattr(c, "key", None) == key), None),
)
globals().update({found.__name__: found for found in DROP_INS.values()})
__all__ = sorted([parametrize.__name__, *(found.__name__ for found in DROP_INS.values())])
