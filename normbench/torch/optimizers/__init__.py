"""The updates as ``torch.optim.Optimizer`` classes, for a user's own network and loop.

Each class is a thin loop around the pure update of its family. What holds for all of them:

- ``p.grad`` is read and never changed; Method1 does not look at it. Where it is read, everything that fills it works:
  several ``backward()`` calls that accumulate, DistributedDataParallel, ``torch.amp.GradScaler``.
- Weights keep their dtype. For mixed precision leave them in float32 and put ``torch.autocast`` around the forward
  pass (Method1: inside the closure).
- All operations run over lists of tensors (torch's ``_foreach`` functions) where there is one, so there is no
  ``foreach`` argument to choose between two paths; nor ``maximize``, ``weight_decay`` or ``fused``.
- Fromage, LARS and AGD never wait for the device and compile: ``torch.compile(optimizer.step)``. Method1 and Method2
  decide on the host how far to go, Method2Exp works out its angle there; FGSGD's step is left as it is by compilation.
- ``state_dict`` holds all that a run needs to go on with the same bits.
"""

from normbench.torch.optimizers.agd import AGD
from normbench.torch.optimizers.fgsgd import FGSGD
from normbench.torch.optimizers.method1 import Method1
from normbench.torch.optimizers.method2 import Method2, Method2Exp
from normbench.torch.optimizers.relative import LARS, Fromage

__all__ = ["AGD", "FGSGD", "LARS", "Fromage", "Method1", "Method2", "Method2Exp"]
