"""The page of an optimiser, from its declaration, its docstrings and its rows on the boards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.site import described
from ci.site.described import Documented
from ci.site.markdown import bullets, code, dropdown, page, section, table, tabs, text
from ci.site.published import Published, Row, best_ranks, board_sections, frontier_sections
from normbench import specs
from normbench.backends import names
from normbench.errors import InvalidArgumentError
from normbench.running.support import MOST_WEIGHTS
from normbench.specs.base import Family, Geometry, Hyperparameter, LineDerivatives, OptimiserSpec
from normbench.specs.parametrisations import PARAMETRISATIONS, Parametrisation, objection, through
from normbench.specs.values import value_text

KINDS = {
    Family.AUTOMATIC: "automatic",
    Family.BASELINE: "baseline",
    Family.PEER: "peer",
    Family.PLUG_IN: "of another package",
}
_ABOUT = {
    Family.AUTOMATIC: "One of the methods that the benchmark is about",
    Family.BASELINE: "What is tried first",
    Family.PEER: "What a user would pick instead",
    Family.PLUG_IN: "An optimiser of another package",
}
_NO_CLASS = (
    "There is no class of it for a loop of your own: peers that move on bounded sets are the benchmark's, in torch, "
    "JAX and NumPy, because [what libraries have](../bound.md#what-the-libraries-own-versions-hold) keeps no bound."
)
MOVED = {
    Geometry.FREE: "free variables",
    Geometry.SPHERE: "matrices on spheres, by the Frobenius norm",
    Geometry.STIEFEL: "matrices in spectral balls",
}
_DERIVATIVES = {
    LineDerivatives.NEVER: "none",
    LineDerivatives.START: "at the first step, each counted as an evaluation",
    LineDerivatives.ALWAYS: "at every step, each counted as an evaluation",
}
_EXAMPLE_BOUND = 20  # that of the published boards which every way has


@dataclass(frozen=True)
class Sources:
    """Where the package's own files are, and what has been published."""

    package: Path
    published: Published

    def torch_class(self, key: str) -> Documented | None:
        """The class for a user's loop in torch, or None."""
        return described.torch_class(self._file("torch", "optimizers", key), key)

    def jax_function(self, key: str) -> Documented | None:
        """The transformation of optax, or None."""
        return described.function(self._file("jax", "transformations", key), key)

    def reference(self, key: str) -> str:
        """The update in float64 NumPy, as it stands in its module; empty where there is none."""
        return described.source(self._file("reference", "", key), key)

    def library_calls(self, spec: OptimiserSpec) -> dict[str, str]:
        """By backend, how the library is called."""
        calls = (
            (backend, described.library_call(self._file(backend, "updates", spec.key), name))
            for backend in names()
            for name in described.library_names(f"{spec.paper} {spec.equations}")
            if spec.runs_on(backend)
        )
        return {backend: call for backend, call in calls if call}

    def _file(self, backend: str, folder: str, key: str) -> Path:
        return self.package / backend / folder / f"{specs.module_of(key)}.py"


def optimiser_page(spec: OptimiserSpec, sources: Sources) -> str:
    """Everything that is known of one optimiser.

    Raises
    ------
    InvalidArgumentError
        If it is declared to have drop-in classes and one is missing, or no library's call is found where a peer has
        no implementation of ours.
    """
    torch, jax = sources.torch_class(spec.key), sources.jax_function(spec.key)
    calls = sources.library_calls(spec)
    if spec.family is Family.AUTOMATIC and not (torch and jax):
        raise InvalidArgumentError(
            f"optimiser {spec.key!r} has no {'optax transformation' if torch else 'class of torch'} to make a page of. "
            "Write it, see CONTRIBUTING.md."
        )
    missing = [b for b in (spec.backends or ()) if b not in calls]
    if missing:
        raise InvalidArgumentError(
            f"optimiser {spec.key!r} is of libraries, and no call of one is found in {', '.join(missing)}. Name the "
            "library's class or function in equations as it is called, such as optax.lbfgs."
        )
    wanted = _is_of(spec)
    return page(
        [
            f"# {text(spec.title)}",
            "",
            _sentence(spec, torch, calls),
            "",
            *_facts(spec),
            *section("The update", _update(spec, torch, jax, sources)),
            *section("In your own loop", _own_loop(spec, torch, jax, calls)),
            *section("Hyperparameters", _hyperparameters(spec)),
            *section("State between iterations", bullets(map(text, spec.state))),
            *section("What holds after every step", _invariants(spec)),
            *section("What is pinned here, and departures from the paper", bullets(map(text, spec.notes))),
            *section("What it goes with", _goes_with(spec)),
            *section("Run it", _run(spec)),
            *section("On the boards", _intervals(board_sections(sources.published, wanted))),
            *section("At a certified bound", _bounds(frontier_sections(sources.published, wanted))),
            *section("Others of its kind", _others(spec)),
        ]
    )


def _is_of(spec: OptimiserSpec) -> Callable[[Row], bool]:
    return lambda row: row["optimiser"] == spec.key


def _sentence(spec: OptimiserSpec, torch: Documented | None, calls: Mapping[str, str]) -> str:
    if torch:
        return f"{text(torch.summary)} It has a class of torch and a transformation of optax for a loop of your own."
    about = _ABOUT[spec.family]
    if not calls:
        return f"{about}. {_NO_CLASS}"
    libraries = dict.fromkeys(call.partition("(")[0].rpartition(".")[0] for call in calls.values())
    return (
        f"{about}, as {' and '.join(f'`{name}`' for name in libraries)} {'have' if len(libraries) > 1 else 'has'} it."
    )


def _facts(spec: OptimiserSpec) -> list[str]:
    rows = [
        ("key", f"`{spec.key}`"),
        ("kind", KINDS[spec.family]),
        ("source", text(spec.paper)),
        ("equations", text(spec.equations)),
        ("runs in", ", ".join(b for b in names() if spec.runs_on(b))),
        ("to tune", _tuned(spec)),
        ("moves", ", or ".join(MOVED[g] for g in spec.geometries)),
        (
            "batches",
            "the whole training set: it compares losses" if spec.full_batch else "the whole training set, or parts",
        ),
        ("data and initial weights", f"scaled by {text(spec.normalisation.value)}"),
        ("iterations of a run", f"{spec.iterations:,} unless you say otherwise"),
        ("further derivatives along its curve", _DERIVATIVES[spec.line_derivatives]),
        ("networks", _networks(spec)),
    ]
    return table(["what", "value"], rows)


def _networks(spec: OptimiserSpec) -> str:
    """Those that it trains, as :func:`normbench.running.support.check_support` has it."""
    if spec.least_squares:
        return f"up to {MOST_WEIGHTS:,} weights, with the square loss of samples one by one"
    return "all parts with a known operator norm" if spec.bounded else "any"


def _tuned(spec: OptimiserSpec) -> str:
    return ", ".join(f"`{h.name}`" for h in spec.searched) or "nothing"


def _update(spec: OptimiserSpec, torch: Documented | None, jax: Documented | None, sources: Sources) -> list[str]:
    shown = next((d.display for d in (torch, jax) if d and d.display), "")
    reference = sources.reference(spec.key)
    written = dropdown("In float64 NumPy: the oracle that torch and JAX are held against", code(reference, "python"))
    said = code(shown) if shown else [f"{text(spec.equations)}.", ""]
    return [*said, *(written if reference else [])]


def _own_loop(
    spec: OptimiserSpec, torch: Documented | None, jax: Documented | None, calls: Mapping[str, str]
) -> list[str]:
    if torch and jax:
        shown = {
            "torch": [f"{{py:class}}`normbench.torch.{torch.name}`", "", *code(torch.example, "pycon")],
            "JAX": [f"{{py:func}}`normbench.jax.{jax.name}`", "", *code(jax.example, "pycon")],
        }
        pages = "[torch](../own_networks/torch.md) and [optax](../own_networks/optax.md)"
        return [*tabs(shown), f"What all of them need, and loops of ten lines: {pages}.", ""]
    if not calls:
        return []
    said = ["The benchmark calls the library; take it from there.", ""]
    return [*said, *tabs({name: code(call, "python") for name, call in calls.items()})]


def _hyperparameters(spec: OptimiserSpec) -> list[str]:
    rows = [[f"`{h.name}`", _default(h), _range(h), _grid(h), text(h.meaning)] for h in spec.hyperparameters]
    given = [[f"`{c.name}`", "none" if c.default is None else f"{c.default}", text(c.meaning)] for c in spec.constants]
    said = [] if rows else ["None.", ""]
    beside = ["Beside them the classes for a loop of your own take what a run has from its problem:", ""]
    return [
        *said,
        *(table(["name", "default", "range", "searched over", "meaning"], rows) if rows else []),
        *([*beside, *table(["name", "default", "meaning"], given)] if given else []),
    ]


def _default(h: Hyperparameter) -> str:
    return "none: give one" if h.required else text(value_text(h.default))


def _range(h: Hyperparameter) -> str:
    return " or ".join(f"`{name}`" for name in h.choices) if h.choices else f"{h.low:g} to {h.high:g}"


def _grid(h: Hyperparameter) -> str:
    return ", ".join(map(value_text, h.grid))


def _invariants(spec: OptimiserSpec) -> list[str]:
    return [*bullets(map(text, spec.invariants)), "Each is a test.", ""] if spec.invariants else []


def _goes_with(spec: OptimiserSpec) -> list[str]:
    at_bound = through(spec, bounded=True)
    rows = [
        [f"[{p.key}](../parametrisations/{p.key}.md)", "yes" if p.bounded else "no", verdict(spec, p)]
        for p in PARAMETRISATIONS.values()
    ]
    asked = (
        f"With `--lipschitz` it runs through `{at_bound[0]}` unless `--parametrisation` says otherwise."
        if at_bound
        else "It runs through none that keeps a bound; a frontier reads it by a sweep of `--output-scale`."
    )
    parts = [f"`--batch-size` is refused: {spec.key} compares losses between iterations."] if spec.full_batch else []
    return [*table(["parametrisation", "keeps a bound", "runs through it"], rows), " ".join([asked, *parts]), ""]


def verdict(spec: OptimiserSpec, found: Parametrisation) -> str:
    """Whether an optimiser runs through a parametrisation, as the pages of both say it."""
    why = objection(spec, found)
    if why:
        return f"refused: it {text(why)}"
    if found.key == spec.parametrisation:
        return "yes, by default"
    return "yes, by default at a bound" if found.key in through(spec, bounded=True)[:1] else "yes"


def commands(spec: OptimiserSpec) -> list[str]:
    """Commands of ``normbench run`` for an optimiser: as it is, at a bound, and with both hyperparameters searched."""
    given = [f" --set {h.name}={h.example}" for h in spec.hyperparameters if h.required]
    plain = f"normbench run --optimiser {spec.key}{''.join(given)}"
    if not through(spec, bounded=True):
        return [plain, f"{plain} --output-scale 0.3 --output-scale 3"]
    at_bound = f"{plain} --lipschitz {_EXAMPLE_BOUND}"
    return [plain, at_bound, *([f"{at_bound} --tune two"] if spec.second else [])]


def _run(spec: OptimiserSpec) -> list[str]:
    said = (
        "On simulated flights, in every backend that it has. `--task neural-fly` takes real flights, `--seeds 10` more "
        "seeds; [the commands](../commands.md) have the rest."
    )
    return [*code("\n".join(commands(spec)), "bash"), said, ""]


def _intervals(sections: Sequence[str]) -> list[str]:
    said = (
        "Rows as they are published, losses included: ranks with where 95 % of the resamples of the seeds put them, "
        "and the paired difference to the best row, with stars where it is certain. [How to read "
        "them](../../results/README.md#how-to-read-it), and [how they are made](../statistics.md)."
    )
    return [said, "", *sections] if sections else ["It is on none of the published boards.", ""]


def _bounds(sections: Sequence[str]) -> list[str]:
    said = (
        "Every way of training with it, at every bound that was named, after equal evaluations. ▼ is the lowest error "
        "of all ways at a bound. [How to read the frontier](../bound.md#how-to-read-the-frontier)."
    )
    return [said, "", *sections] if sections else ["It is on none of the published frontiers.", ""]


def _others(spec: OptimiserSpec) -> list[str]:
    alike = [other for other in specs.SPECS.values() if other.family is spec.family and other.key != spec.key]
    near = [other for other in alike if specs.module_of(other.key) == specs.module_of(spec.key)]
    ordered = [*near, *(other for other in alike if other not in near)]
    return bullets(f"[{text(other.title)}]({other.key}.md)" for other in ordered)


def index_page(sources: Sources) -> str:
    """The table of all optimisers, and what a sidebar lists."""
    rows = [_index_row(spec, sources) for spec in specs.SPECS.values()]
    header = ["key", "optimiser", "source", "kind", "to tune", "best rank on a board", "best rank over all bounds"]
    said = (
        "Every optimiser of the benchmark. The ranks are the best that it has on any of the published boards, which "
        "count the rows of all backends, and on any of the published frontiers, which count ways of training at a "
        "certified bound; – where it has none. A good rank on one board says nothing of the others: each page has all."
    )
    listed = ["```{toctree}", ":hidden:", "", *specs.SPECS, "```"]
    return page(["# Optimisers", "", said, "", *table(header, rows), *listed])


def _index_row(spec: OptimiserSpec, sources: Sources) -> list[str]:
    link = f"[{text(spec.title)}]({spec.key}.md)"
    ranks = best_ranks(sources.published, _is_of(spec))
    return [f"`{spec.key}`", link, text(spec.paper), KINDS[spec.family], _tuned(spec), *ranks]
