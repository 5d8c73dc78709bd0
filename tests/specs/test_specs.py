"""The declarations: complete in every backend, strict about what they are given."""

import ast
import importlib
import inspect
import math
import re
import textwrap

import numpy as np
import pytest

from normbench import backends, specs
from normbench.backends.method import implementations
from normbench.errors import InvalidArgumentError
from normbench.specs import (
    OWN,
    PEERS,
    REFERENCED,
    SPECS,
    Family,
    Hyperparameter,
    Normalisation,
    OptimiserSpec,
    parametrisations,
)
from tests.agreement.conftest import problem_for

pytestmark = pytest.mark.quick

EVERY = [(spec.key, h.name) for spec in SPECS.values() for h in spec.hyperparameters]


def hyperparameter(key, name):
    return next(h for h in SPECS[key].hyperparameters if h.name == name)


def test_decays_below_one_are_so_in_float32():
    """Adam divides by 1 - beta^t: of 1 - 1e-9 JAX, whose programs have it in float32, made 0, and the run diverged."""
    below = [h for spec in SPECS.values() for h in spec.hyperparameters if 0.9 < h.high < 1.0]
    assert {h.name for h in below} >= {"momentum", "beta1", "beta2"}
    assert all(np.float32(h.high) < 1.0 for h in below)


UPDATES = {"reference": "normbench.reference", "torch": "normbench.torch.updates", "jax": "normbench.jax.updates"}


@pytest.mark.parametrize("backend", UPDATES)
def test_every_spec_is_implemented_and_takes_the_hyperparameters_that_it_declares(backend):
    for key, update in implementations(UPDATES[backend], specs.on(backend)).items():
        taken = [p for p in inspect.signature(update).parameters.values() if p.default is p.empty]
        assert [p.name for p in taken] == [h.name for h in SPECS[key].hyperparameters], key
        assert all(p.kind is p.KEYWORD_ONLY for p in taken), key


def test_a_declared_optimiser_that_is_nowhere_is_named():
    with pytest.raises(InvalidArgumentError, match=r"'dog' is declared, and normbench\.torch\.updates\.peers does not"):
        implementations("normbench.torch.updates", ["method1", "dog"])
    with pytest.raises(InvalidArgumentError, match=r"'adam' .* normbench\.torch\.optimizers\.baselines"):
        implementations("normbench.torch.optimizers", ["adam"])


def test_all_but_the_peers_of_libraries_have_a_reference_and_both_backends():
    assert set(OWN) < set(REFERENCED) == set(specs.on(backends.oracle().name))
    libraries = [key for key in PEERS if key not in REFERENCED]
    assert {name for key in libraries for name in SPECS[key].backends} <= {usual.name for usual in backends.usual()}


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_dropin_optimisers_are_the_specs_without_the_library_baselines(backend):
    names = importlib.import_module(f"normbench.{backend}").__all__
    keys = {key.replace("_", "") for key, spec in SPECS.items() if spec.family is Family.AUTOMATIC}
    aids = {"accumulated", "averaged", "parametrize", "unmasked"}  # no optimisers
    assert {name.replace("_", "").lower() for name in names} - aids == keys


_DEFAULTS = {"learning_rate": 0.01}
OF_A_LIBRARY = {"module", "process_group", "differentiation", "euclidean"}  # what no declaration can know


def written_defaults(function):
    """The default of every argument as the source has it."""
    (made,) = (n for n in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if is_made_by(n))
    given = [*zip(made.args.args[::-1], made.args.defaults[::-1], strict=False)]
    given += [
        (arg, default) for arg, default in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True) if default
    ]
    return {arg.arg: ast.unparse(default) for arg, default in given}


def is_made_by(node):
    return isinstance(node, ast.FunctionDef) and node.name in {"__init__", *SPECS}


@pytest.mark.parametrize("key", specs.AUTOMATIC)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_defaults_of_a_dropin_optimiser_are_read_from_its_declaration(backend, key):
    package = {"torch": "optimizers", "jax": "transformations"}[backend]
    made = importlib.import_module(f"normbench.{backend}.{package}").DROP_INS[key]
    taken = {p.name: p.default for p in inspect.signature(made).parameters.values() if p.default is not p.empty}
    written = written_defaults(made.__init__ if backend == "torch" else made)
    assert taken.keys() == written.keys()
    declared = {
        {"learning_rate": "lr"}.get(name, name) if backend == "torch" else name: default
        for name, default in specs.get(key).defaults.items()
    }
    if (backend, key) == ("torch", "method1"):
        declared.pop("radius")  # an option of a group
    assert {name: taken[name] for name in declared} == declared
    assert taken.keys() - declared.keys() <= OF_A_LIBRARY
    assert [name for name in declared if not written[name].startswith("_")] == []


def test_a_default_that_is_written_again_is_seen():
    def fromage(learning_rate=_DEFAULTS["learning_rate"], *, p_bound=None):
        pass

    assert written_defaults(fromage) == {"learning_rate": "_DEFAULTS['learning_rate']", "p_bound": "None"}


def test_a_problem_has_the_constants_that_the_bounded_methods_declare():
    found = problem_for("method2").majorant_constants
    declared = [set(spec.defaults) for spec in SPECS.values() if spec.bounded]
    assert declared == [found.keys()] * len(declared)


@pytest.mark.parametrize("key", SPECS)
def test_a_spec_is_found_by_its_key_and_says_where_it_comes_from(key):
    spec = specs.get(key)
    assert spec is SPECS[key]
    assert spec.key == key
    assert all((spec.title, spec.paper, spec.equations))


@pytest.mark.parametrize("key", SPECS)
def test_defaults_resolve_to_every_hyperparameter_in_order_and_a_given_value_replaces_its_own_alone(key):
    resolved = SPECS[key].resolve({})
    assert list(resolved.items()) == [(h.name, h.default) for h in SPECS[key].hyperparameters]
    for h in SPECS[key].hyperparameters:
        value = h.choices[-1] if h.choices else int(h.high) if isinstance(h.default, int) else h.high
        assert SPECS[key].resolve({h.name: value}) == resolved | {h.name: value}


@pytest.mark.parametrize("key", SPECS)
def test_an_unknown_hyperparameter_raises_with_its_name(key):
    with pytest.raises(InvalidArgumentError, match=rf"{key} has no hyperparameter 'wrong'"):
        SPECS[key].resolve({"wrong": 1.0})


def test_a_misspelt_hyperparameter_gets_a_suggestion():
    with pytest.raises(InvalidArgumentError, match=r"'learning_rat'\. Did you mean 'learning_rate'\?"):
        SPECS["fromage"].resolve({"learning_rat": 0.1})


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_a_value_of_a_wrong_type_or_out_of_range_raises_with_name_and_value(key, name):
    h = hyperparameter(key, name)
    outside = () if h.choices else (math.floor(h.low) - 1, math.ceil(h.high) + 1)
    for value in (True, False, "1", [1.0], b"1", math.nan, math.inf, -math.inf, 10**400, *outside):
        with pytest.raises(InvalidArgumentError) as caught:
            SPECS[key].resolve({name: value})
        assert str(caught.value).startswith(f"{name} must ")
        assert str(caught.value).endswith(f"got {value!r}.")


@pytest.mark.parametrize("name", ["order", "max_halvings"])
def test_an_integer_hyperparameter_takes_no_float(name):
    with pytest.raises(InvalidArgumentError, match=f"{name} must be an integer; got 3.0"):
        SPECS["method1"].resolve({name: 3.0})


@pytest.mark.parametrize("value", ["Sphere", "", "spheres", None, 0], ids=repr)
def test_a_name_that_is_no_choice_raises_with_the_choices(value):
    with pytest.raises(InvalidArgumentError) as caught:
        SPECS["fgsgd"].resolve({"manifold": value})
    assert str(caught.value) == f"manifold must be one of sphere, stiefel, oblique; got {value!r}."


def test_none_switches_off_only_what_may_be_off():
    assert SPECS["fromage"].resolve({"p_bound": None})["p_bound"] is None
    with pytest.raises(InvalidArgumentError, match="learning_rate must be a number; got None"):
        SPECS["fromage"].resolve({"learning_rate": None})


def test_a_whole_number_becomes_a_float_where_the_default_is_one():
    assert type(SPECS["lars"].resolve({"learning_rate": 1})["learning_rate"]) is float


@pytest.mark.parametrize(
    ("wrong", "near"), [("metod1", "method1"), ("Fromage", "fromage"), ("sgd_momentun", "sgd_momentum")]
)
def test_a_misspelt_optimiser_gets_a_suggestion(wrong, near):
    with pytest.raises(InvalidArgumentError, match=rf"no optimiser '{wrong}'\. Did you mean '{near}'\?"):
        specs.get(wrong)


@pytest.mark.parametrize("key", [None, 3, b"adam", ["adam"]], ids=repr)
@pytest.mark.parametrize(("get", "kind"), [(specs.get, "optimiser"), (parametrisations.get, "parametrisation")])
def test_a_key_that_is_no_text_is_refused_with_the_list(get, kind, key):
    with pytest.raises(InvalidArgumentError, match=rf"no {kind} {re.escape(repr(key))}\. The benchmark knows: "):
        get(key)


def test_an_unknown_optimiser_gets_the_list_without_a_guess():
    with pytest.raises(InvalidArgumentError) as caught:
        specs.get("quite-different")
    assert "Did you mean" not in str(caught.value)
    assert all(key in str(caught.value) for key in SPECS)


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_defaults_and_grids_lie_inside_their_range(key, name):
    h = hyperparameter(key, name)
    for value in (h.default, *h.grid):
        assert value is None or (value in h.choices if h.choices else h.low <= value <= h.high)
    assert list(h.grid) == sorted(set(h.grid))


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", 2.0, 0.0, 1.0, "m"),
        ("x", 0.5, 0.0, 1.0, "m", (0.1, 2.0)),
        ("x", 0.5, 1.0, 0.0, "m"),
        ("x", "1", 0, 1, "m"),
        ("x", "c", 0, 1, "m", (), ("a", "b")),
        ("x", 0.5, 0, 1, "m", (), ("a", "b")),
    ],
    ids=["default-outside", "grid-outside", "empty-range", "default-of-wrong-type", "no-choice", "number-for-a-name"],
)
def test_a_declaration_out_of_its_own_range_raises(arguments):
    with pytest.raises(InvalidArgumentError, match="x"):
        Hyperparameter(*arguments)


def test_the_rate_is_searched_before_a_momentum_or_an_epsilon_and_momenta_by_their_distance_to_1():
    assert {spec.tuned.name for spec in SPECS.values() if spec.tuned} == {"learning_rate"}
    assert {spec.second.name for spec in SPECS.values() if spec.second} == {"momentum", "epsilon"}
    assert {h.name for spec in SPECS.values() for h in spec.hyperparameters if h.near_one} == {"momentum"}
    assert all(h.near_one for spec in SPECS.values() for h in spec.searched if h.name == "momentum")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyperparameters": (Hyperparameter("a", 1.0, 0.0, 2.0, "m"),) * 2}, "twice"),
        ({"hyperparameters": tuple(Hyperparameter(n, 1.0, 0.0, 2.0, "m", (1.0,)) for n in "abc")}, "a, b, c; two are"),
        (
            {"hyperparameters": tuple(Hyperparameter(n, 1.0, 0.0, 2.0, "m", (2.0,)) for n in "ab")},
            "'b'.*lacks.*1.0, at",
        ),
        ({"iterations": 0}, "iterations >= 1; got 0"),
        ({"evaluations": 0}, "evaluations >= 1; got 0"),
    ],
)
def test_an_inconsistent_declaration_raises(changes, message):
    fields = {"normalisation": Normalisation.SPHERES, "iterations": 1} | changes
    with pytest.raises(InvalidArgumentError, match=message):
        OptimiserSpec(key="k", title="t", paper="p", equations="e", **fields)
