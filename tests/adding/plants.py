"""One new member of every kind, written as CONTRIBUTING.md says: files that are new, and lines of files that are."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Plant(NamedTuple):
    """What adding one member changes in the package, and in nothing else.

    Attributes
    ----------
    new : dict of str
        Path of a new file to its text.
    lines : dict of tuples of pairs of str
        Path of a file to places in it, each of which is there once, and what is put in front of them.
    """

    new: Mapping[str, str] = {}
    lines: Mapping[str, tuple[tuple[str, str], ...]] = {}

    def write(self, package: Path) -> None:
        """Into a copy of the package."""
        for path, text in self.new.items():
            (package / path).parent.mkdir(exist_ok=True)
            (package / path).write_text(text)
        for path, places in self.lines.items():
            text = (package / path).read_text()
            for place, added in places:
                assert text.count(place) == 1, f"{path}: {place!r} is there {text.count(place)} times"
                text = text.replace(place, added + place)
            (package / path).write_text(text)


UPDATE = """
from normbench.backends.method import Update
{imports}

def planted_signs(*, learning_rate, momentum):
    def init(objective, weights):
        return [{array}.zeros_like(w) for w in weights]

    def step(gradient, weights, state):
        m = [momentum * a + (1 - momentum) * g for a, g in zip(state, gradient)]
        return tuple(w - learning_rate * {array}.sign(a) for w, a in zip(weights, m)), m, learning_rate

    return Update(init, step)
"""
OPTIMISER = Plant(
    new={
        "specs/planted_signs.py": """
from normbench.specs.base import Hyperparameter, OptimiserSpec

PLANTED_SIGNS = OptimiserSpec(
    key="planted_signs",
    title="Planted signs",
    paper="arXiv 1802.04434",
    equations="m = momentum m + (1 - momentum) g; W = W - learning_rate sign(m)",
    hyperparameters=(
        Hyperparameter("learning_rate", 1e-3, 0.0, 1.0, "of every entry", (1e-3, 1e-2)),
        Hyperparameter("momentum", 0.9, 0.0, 0.99, "of the averages"),
    ),
)
""",
        "reference/planted_signs.py": UPDATE.format(imports="import numpy as np", array="np"),
        "torch/updates/planted_signs.py": UPDATE.format(imports="import torch", array="torch"),
        "jax/updates/planted_signs.py": UPDATE.format(imports="import jax.numpy as jnp", array="jnp"),
        "torch/optimizers/planted_signs.py": '''
import torch


class PlantedSigns(torch.optim.SGD):
    """Signs."""

    key = "planted_signs"
''',
        "jax/transformations/planted_signs.py": '''
import optax


def planted_signs():
    """Signs."""
    return optax.sign_sgd(1e-3)
''',
    },
    lines={
        "specs/__init__.py": (
            ("    plug_ins,\n", "    planted_signs,\n"),
            ("    scion,\n    muon_cap,", "    planted_signs,\n"),
        )
    },
)
PEER = Plant(
    lines={
        "specs/peers.py": (
            (
                "# pymanopt's ConjugateGradient",
                """PLANTED_PEER = _peer(
    "planted_peer",
    "Planted peer",
    "arXiv 1412.6980",
    "torch.optim.Adamax, optax.adamax",
    ("torch", "jax"),
    Hyperparameter("learning_rate", 2e-3, 0.0, 1e3, "default of both libraries", (1e-3, 1e-2)),
)
""",
            ),
        ),
        "torch/updates/peers.py": (
            (
                "# it takes matrices only",
                "planted_peer = _rated(lambda weights, lr: torch.optim.Adamax(weights, lr=lr))\n",
            ),
        ),
        "jax/updates/peers.py": (("muon = _rated(", "planted_peer = _rated(optax.adamax)\n"),),
    }
)
NORMED = '    ("planted", Geometry.FREE): lambda shapes: Chart(lambda variables: [V / NORM for V in variables]),\n'
PARAMETRISATION = Plant(
    lines={
        "specs/parametrisations.py": (
            (
                "# those above",
                """PLANTED = Parametrisation(
    key="planted",
    title="Planted",
    source="nowhere",
    equation="W_k = V_k / ||V_k||_F",
    geometries=(Geometry.FREE,),
    bounded=True,
)
""",
            ),
        ),
        "problems/initial_variables.py": (
            ('    ("bjorck", Geometry.FREE)', '    ("planted", Geometry.FREE): _same,\n'),
        ),
        **{
            f"{place}/parametrisations.py": (('    ("bjorck", Geometry.FREE)', entry),)
            for place, entry in (
                (
                    "reference",
                    """    ("planted", Geometry.FREE): lambda shapes: Chart(
        weights=lambda variables: tuple(V / np.linalg.norm(V) for V in variables),
        pull_back=lambda variables, gradient: tuple(
            (G - np.vdot(G, V) * V / np.vdot(V, V)) / np.linalg.norm(V) for V, G in zip(variables, gradient)
        ),
        clipped=_same,
        witness=_nothing,
    ),
""",
                ),
                ("torch/updates", NORMED.replace("NORM", "V.norm()")),
                ("jax/updates", NORMED.replace("NORM", "jnp.linalg.norm(V)")),
            )
        },
    }
)
ACTIVATION = Plant(
    lines={
        "networks/activations.py": (
            (
                "@dataclass(frozen=True)\nclass MaxMin(",
                '''@dataclass(frozen=True)
class Planted(UnitByUnit):
    """min(1, max(-1, x)) / 2 + x / 2: slopes of 1 and, far away, 1/2."""

    is_homogeneous = False
    has_kink = False  # none that is looked for: they are not at zero

    @property
    def slopes(self) -> tuple[float, float]:
        """Far away and at zero."""
        return 0.5, 1.0

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives at x."""
        return (np.clip(x, -1, 1) + x) / 2, np.where(abs(x) < 1, 1.0, 0.5)


''',
            ),
            ('    "maxmin": MaxMin(),\n', '    "planted": Planted(),\n'),
        ),
        "reference/layers.py": (
            ("import LeakyRelu, MaxMin, Relu, Tanh\n", "import Planted\nfrom normbench.networks.activations "),
            (
                "    MaxMin: Evaluation(",
                """    Planted: Evaluation(
        outputs=lambda layer, weights, x: (np.clip(x, -1, 1) + x) / 2,
        **_gate(lambda layer, x: np.where(abs(x) < 1, 1.0, 0.5)),
    ),
""",
            ),
        ),
        "torch/benchmark/network.py": (
            ("import LeakyRelu, MaxMin, Relu, Tanh\n", "import Planted\nfrom normbench.networks.activations "),
            ("    MaxMin: lambda *_", "    Planted: lambda *_: _Applied(lambda x: (x.clamp(-1, 1) + x) / 2),\n"),
        ),
        "jax/benchmark/network.py": (
            ("import LeakyRelu, MaxMin, Relu, Tanh\n", "import Planted\nfrom normbench.networks.activations "),
            ("    MaxMin: lambda layer", "    Planted: lambda layer, _, x: (jnp.clip(x, -1, 1) + x) / 2,\n"),
        ),
        "exports/c_source.py": (
            (
                "    MaxMin: lambda activation",
                '    Planted: lambda activation, dtype: _Change("if (v[i] > 1) v[i] = (v[i] + 1) / 2;"),\n',
            ),
            ("import Activation, LeakyRelu", "import Planted\nfrom normbench.networks.activations "),
        ),
    }
)
INITIALISATION = Plant(
    lines={
        "problems/initial_weights.py": (
            (
                '    "orthogonal": semi_orthogonal,\n',
                '    "planted": lambda shapes, rng: tuple(rng.laplace(size=s) for s in shapes),\n',
            ),
        )
    }
)
SCHEDULE = Plant(
    lines={
        "running/schedule.py": (
            (
                "_MADE: dict",
                '''@dataclass
class Planted:
    """Half as fast after every checkpoint."""

    def factor_at(self, error: Callable[[], float]) -> float:
        """One half."""
        return 0.5


''',
            ),
            ('    "linear": Linear,\n', '    "planted": lambda stairs: Planted(),\n'),
        )
    }
)
AUGMENTATION = Plant(
    lines={
        "data/augmentation.py": (
            ("    CROP_FLIP: crop_flip,\n", '    "planted": lambda images, rng: images[..., ::-1],\n'),
        )
    }
)
SOURCE = '''
"""Planes, drawn here."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from normbench.data.source import SourceInfo
from normbench.data.sources import digits


@dataclass(frozen=True)
class Few(digits.PackagedSource):
    def load(self, data_dir: Path | None):
        return replace(super().load(data_dir).take(np.arange(60)), name="planted-few")


SOURCE = Few(replace(digits.SOURCE.info, name="planted-few", samples=60))
'''
TASK = Plant(
    new={"data/sources/planted_few.py": SOURCE},
    lines={
        "data/__init__.py": (
            ("    quadrotor,\n    quadrotor_sim,", "    planted_few,\n"),
            ("            digits.SOURCE,\n", "            planted_few.SOURCE,\n"),
        ),
        "problems/tasks.py": (
            (
                '        Task("digits", "digits"',
                '        Task("planted-few", "planted-few", (4,), None, "Sixty digits"),\n',
            ),
        ),
    },
)
CERTIFICATE = Plant(
    new={
        "certificates/planted.py": '''
"""The product of Frobenius norms."""

from math import prod

import numpy as np

from normbench.certificates.certificate import Certificate

KIND = "planted"


def planted(network):
    return Certificate(KIND, proven(network))


def proven(network):
    return prod(float(np.linalg.norm(w)) for w in network.given) * network.output_scale * (1 + 1e-9)
'''
    },
    lines={
        "certificates/verify.py": (
            ("    product,\n    rescaling,", "    planted,\n"),
            (
                "        product.KIND: Check(",
                """        planted.KIND: Check(
            lambda network, certificate: _exceeds(planted.proven(network), certificate.bound),
            from_given_weights=True,
            any_activation=True,
        ),
""",
            ),
        ),
        "certificates/certify.py": (
            ("from normbench.certificates.product import KIND", "from normbench.certificates.planted import planted\n"),
            (
                "    if len(network.weights) == 1 or not network.exact:\n",
                '    yield _within("planted", deadline, 0.0, lambda: planted(network))\n',
            ),
        ),
    },
)
PAPER = Plant(
    new={
        "papers/planted/__init__.py": '"""A paper that nobody wrote."""\n',
        "papers/planted/experiments.py": '''
"""Its one experiment."""

from normbench.papers.experiment import Experiment

EXPERIMENTS = (
    Experiment("planted-figure", "what nobody printed", 1, lambda setting, found: iter(["planted line"]), keeps=False),
)
''',
    },
    lines={
        "papers/experiments.py": (
            ("\nEXPERIMENTS: tuple", "from normbench.papers.planted import experiments as planted\n"),
            (")\n", "    *planted.EXPERIMENTS,\n"),
        )
    },
)

PLANTS = {
    "optimiser": OPTIMISER,
    "peer": PEER,
    "parametrisation": PARAMETRISATION,
    "activation": ACTIVATION,
    "initialisation": INITIALISATION,
    "schedule": SCHEDULE,
    "augmentation": AUGMENTATION,
    "task": TASK,
    "certificate": CERTIFICATE,
    "paper": PAPER,
}
