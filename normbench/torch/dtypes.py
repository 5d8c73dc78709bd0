"""The dtypes of a request, as torch has them."""

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}
