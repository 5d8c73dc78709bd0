"""The types in which a parametrisation is declared."""

from dataclasses import dataclass
from enum import StrEnum

from normbench.errors import InvalidArgumentError
from normbench.networks.activations import ACTIVATIONS
from normbench.specs.base import Geometry


class Certificate(StrEnum):
    """What the Lipschitz bound of the plain network follows from."""

    PRODUCT = "product"  # of the operator norms of the layers
    SANDWICH = "sandwich"  # ||[A B]||_op <= 1 of every layer 2 A^T relu(B h)


@dataclass(frozen=True)
class Parametrisation:
    """What the variables of an optimiser stand for.

    Attributes
    ----------
    key : str
    title : str
        Name shown in tables.
    source : str
        arXiv identifier or other source.
    equation : str
        The plain weights W_1, ..., W_L as a function of the variables.
    geometries : tuple of Geometry
        Where the variables can lie; an optimiser takes the first that it can move on.
    bounded : bool
        True if the Lipschitz constant of all weights together is at most 1 at every iterate, whatever the step.
    certificate : Certificate
    activations : tuple of str, or None
        Those of :data:`normbench.networks.activations.ACTIVATIONS` that it takes; None for all.
    plain : bool
        True if the variables are the weights as they are.
    in_turn : bool
        True if it takes dense layers and activations in turn alone, with at least one activation.
    notes : tuple of str
        What the source leaves open and is pinned here.
    """

    key: str
    title: str
    source: str
    equation: str
    geometries: tuple[Geometry, ...]
    bounded: bool
    certificate: Certificate = Certificate.PRODUCT
    activations: tuple[str, ...] | None = None
    plain: bool = False
    in_turn: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.geometries or not set(self.activations or ()) <= set(ACTIVATIONS):
            raise InvalidArgumentError(
                f"parametrisation {self.key!r} needs geometries, and activations out of {', '.join(ACTIVATIONS)}; got "
                f"{self.geometries} and {self.activations}."
            )
