"""A stored network in the formats that others run: C99 for a controller, ONNX for a runtime.

:func:`exported` takes the network of a file or of an estimator to the precision that is written, and proves its bound
for the very numbers; :func:`to_c` and :func:`to_onnx` write these. torch and JAX have theirs in ``plain_network`` of
their own folders.
"""

from normbench.exports.c99 import c_files, to_c
from normbench.exports.network import DTYPES, Exported, exported, sha256
from normbench.exports.onnx_model import OPSET, to_onnx

__all__ = ["DTYPES", "OPSET", "Exported", "c_files", "exported", "sha256", "to_c", "to_onnx"]
