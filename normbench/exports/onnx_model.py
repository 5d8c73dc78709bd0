"""A network as an ONNX model: its layers one by one, any number of samples, and its proof among the metadata."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import normbench
from normbench.errors import BackendUnavailableError, InvalidArgumentError, install
from normbench.exports.network import Exported
from normbench.networks.activations import LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, entry
from normbench.numbers import as_integer
from normbench.paths import as_path
from normbench.writing import write_bytes

if TYPE_CHECKING:
    import onnx

OPSET = 17  # which runtimes have since 2022
OLDEST = 13  # the first in which the graph is the same
_AXES_AS_INPUT = 18  # of reductions; an attribute before

_OPERATORS: dict[type[Layer], str] = {Relu: "Relu", Tanh: "Tanh"}  # of one node alone
INPUT, OUTPUT, LOGITS, LABEL = "X", "y", "logits", "label"


def to_onnx(network: Exported, path: str | Path | None = None, *, opset: int = OPSET) -> "onnx.ModelProto":
    """An ONNX model with the input ``X``, shape (samples, columns), and the output ``y``, shape (samples, outputs).

    A classifier has the outputs ``logits``, shape (samples, classes), and ``label``, shape (samples,), the classes
    themselves. The metadata hold the bound, the kind of its certificate, names of columns and classes, and the SHA-256
    of the network.

    Parameters
    ----------
    network : Exported
    path : str or Path, optional
        Where it is written as well.
    opset : int
        From 13 to the newest that the installed ``onnx`` knows.

    Raises
    ------
    BackendUnavailableError
        If ``onnx`` is not installed.
    InvalidArgumentError
        If there is no such opset.
    OutputError
        If the file cannot be written.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(f"an ONNX model needs onnx, which is not installed: {install('onnx')}") from error
    newest, version = onnx.defs.onnx_opset_version(), as_integer(opset)
    if version is None or not OLDEST <= version <= newest:
        raise InvalidArgumentError(f"opset must be an integer from {OLDEST} to {newest}; got {opset!r}.")
    model = _Graph(network, version).model()
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        write_bytes(as_path("the ONNX file", path), model.SerializeToString(deterministic=True))
    return model


class _Graph:
    """Nodes and constants that are added one after another."""

    def __init__(self, network: Exported, opset: int) -> None:
        from onnx import helper

        self._network, self._opset, self._helper = network, opset, helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> "onnx.ModelProto":
        """The whole, with what it says of itself."""
        network, helper = self._network, self._helper
        real = helper.np_dtype_to_tensor_dtype(network.dtype)
        columns, *_, outputs = network.widths
        name = OUTPUT if network.classes is None else LOGITS
        results = [helper.make_tensor_value_info(name, real, ["samples", outputs])]
        self._layers(name)
        if network.classes is not None:
            results.append(self._label(name, network.classes))
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, real, ["samples", columns])],
            results,
            self._constants,
        )
        opsets = [helper.make_opsetid("", self._opset)]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="normbench",
            producer_version=normbench.__version__,
        )
        helper.set_model_props(model, _metadata(network))
        return model

    def _layers(self, result: str) -> None:
        network = self._network
        value = self._mapped(INPUT)
        for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            value = self._node("MatMul", value, self._constant(f"weight_{k}", weight.T))
            if k < len(network.weights) - 1:
                value = self._activated(self._node("Add", value, self._constant(f"bias_{k}", bias)), len(bias))
            else:
                value = self._node("Mul", value, self._constant("output_scale", network.output_scale))
                self._node("Add", value, self._constant(f"bias_{k}", bias), output=result)

    def _mapped(self, value: str) -> str:
        network = self._network
        if network.input_map == "affine":
            moved = self._node("Sub", value, self._constant("input_mean", network.input_mean))
            return self._node("Div", moved, self._constant("input_scale", network.input_scale))
        # the largest entry is divided by first, so that no square overflows; 0 / 0 is not a number
        scaled = self._node("Div", value, self._reduced("ReduceMax", self._node("Abs", value)))
        return self._node("Div", scaled, self._reduced("ReduceL2", scaled))

    def _activated(self, value: str, width: int) -> str:
        activation = self._network.activation
        if isinstance(activation, MaxMin):
            return self._sorted(value, width)
        if isinstance(activation, LeakyRelu):  # in operators that runtimes have in float64 too; slopes are at most 1
            sloped = self._node("Mul", value, self._constant("slope", self._network.dtype.type(activation.slope)))
            return self._node("Max", value, sloped)
        return self._node(entry(_OPERATORS, activation, "exports/onnx_model.py"), value)

    def _sorted(self, value: str, width: int) -> str:
        """Maximum and minimum of every pair in its place; the last of an odd number as it is."""
        indices = np.arange(width)
        partner = np.where(indices ^ 1 < width, indices ^ 1, indices)
        other = self._node("Gather", value, self._constant(f"partner_{width}", partner), axis=1)
        larger, smaller = (self._node(operator, value, other) for operator in ("Max", "Min"))
        return self._node("Where", self._constant(f"even_{width}", indices % 2 == 0), larger, smaller)

    def _label(self, logits: str, classes: np.ndarray) -> Any:
        kinds = {"i": np.int64, "u": np.int64, "f": np.float64, "b": np.bool_}
        values = classes.astype(kinds[classes.dtype.kind]) if classes.dtype.kind in kinds else classes.astype(object)
        index = self._node("ArgMax", logits, axis=1, keepdims=0)
        self._node("Gather", self._constant("classes", values), index, output=LABEL, axis=0)
        return self._helper.make_tensor_value_info(
            LABEL, self._helper.np_dtype_to_tensor_dtype(values.dtype), ["samples"]
        )

    def _reduced(self, operator: str, value: str) -> str:
        """Over the columns of every sample, which stay as one."""
        if self._opset < _AXES_AS_INPUT:
            return self._node(operator, value, axes=[1], keepdims=1)
        return self._node(operator, value, self._constant("columns", np.array([1], np.int64)), keepdims=1)

    def _constant(self, name: str, values: np.ndarray | np.generic) -> str:
        from onnx import numpy_helper

        if all(name != constant.name for constant in self._constants):
            self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output


def _metadata(network: Exported) -> dict[str, str]:
    """As text; lists as JSON."""
    said = {
        "lipschitz_bound": repr(float(network.certificate.bound)),
        "certificate": network.certificate.kind,
        "input_map": network.input_map,
        "normbench": normbench.__version__,
        "sha256": network.sha256,
    }
    if network.input_spread is not None:
        said["input_spread"] = json.dumps(network.input_spread.tolist())
    if network.feature_names:
        said["feature_names"] = json.dumps(network.feature_names)
    if network.labels:
        said["classes"] = json.dumps(network.labels)
    return said
