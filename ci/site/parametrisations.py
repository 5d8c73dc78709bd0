"""The page of a parametrisation, from its declaration and what optimisers declare of it."""

from collections.abc import Callable

from ci.site import described
from ci.site.markdown import bullets, code, page, section, table, tabs, text
from ci.site.optimisers import MOVED, Sources, verdict
from ci.site.published import Row, best_ranks, frontier_sections
from normbench import specs
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import PARAMETRISATIONS, Certificate, Parametrisation, objection

_PROOF = {
    Certificate.PRODUCT: "the product of the operator norms of the layers",
    Certificate.SANDWICH: "||[A B]||_op <= 1 of every layer 2 A^T relu(B h)",
}


def parametrisation_page(found: Parametrisation, sources: Sources) -> str:
    """Everything that is known of one parametrisation."""

    wanted = _is_through(found)
    return page(
        [
            f"# {text(found.title)}",
            "",
            _sentence(found),
            "",
            *_facts(found),
            *section("The weights", code(found.equation)),
            *section("In your own loop", _own_loop(found, sources)),
            *section("What is pinned here", bullets(map(text, found.notes))),
            *section("Who moves it", _movers(found)),
            *section("Run it", code("\n".join(commands(found)), "bash")),
            *section("At a certified bound", _published(frontier_sections(sources.published, wanted))),
            *section("Others", bullets(f"[{text(p.title)}]({p.key}.md)" for p in _others(found))),
        ]
    )


def _is_through(found: Parametrisation) -> Callable[[Row], bool]:
    return lambda row: row["parametrisation"] == found.key


def _sentence(found: Parametrisation) -> str:
    if found.bounded:
        return "No iterate exceeds the {term}`Lipschitz bound` that was named, whatever the steps."
    return "Weights as they are: the {term}`Lipschitz bound` is known after training alone."


def _facts(found: Parametrisation) -> list[str]:
    networks = "dense layers and activations in turn, one hidden layer at least" if found.in_turn else "any"
    rows = [
        ("key", f"`{found.key}`"),
        ("source", text(found.source)),
        ("variables", ", or ".join(MOVED[g] for g in found.geometries)),
        ("keeps a bound", "yes" if found.bounded else "no"),
        ("its bound follows from", text(_PROOF[found.certificate]) if found.bounded else "nothing"),
        ("activations", "any" if found.activations is None else ", ".join(f"`{name}`" for name in found.activations)),
        ("networks", networks if found.in_turn or not found.bounded else "those whose layers all have a known gain"),
    ]
    return table(["what", "value"], rows)


def _own_loop(found: Parametrisation, sources: Sources) -> list[str]:
    """What ``parametrize`` says of itself; it is one function for all that keep a bound."""
    if not found.bounded:
        return []
    torch = described.function(sources.package / "torch" / "parametrized.py", "parametrize")
    jax = described.function(sources.package / "jax" / "transformations" / "parametrize.py", "parametrize")
    calls = {
        "torch": f'model = normbench.torch.parametrize(model, "{found.key}", lipschitz=20.0)',
        "JAX": f'start = normbench.jax.parametrize("{found.key}", weights, lipschitz=20.0)',
    }
    about = {
        "torch": f"{{py:func}}`normbench.torch.parametrize`: {text(torch.summary)}" if torch else "",
        "JAX": f"{{py:func}}`normbench.jax.parametrize`: {text(jax.summary)}" if jax else "",
    }
    shown = tabs({name: [*code(call, "python"), about[name], ""] for name, call in calls.items()})
    keeps = [spec for spec in specs.SPECS.values() if spec.key in specs.AUTOMATIC and not objection(spec, found)]
    classes = ", ".join(f"[{text(spec.title)}](../optimisers/{spec.key}.md)" for spec in keeps)
    anyone = "Any optimiser may move free variables. " if Geometry.FREE in found.geometries else ""
    said = f"{anyone}Of the classes for a loop of your own these move it: {classes or 'none'}."
    return [*shown, f"{said} [More of such loops](../own_networks/lipschitz_bound.md).", ""]


def _movers(found: Parametrisation) -> list[str]:
    rows = [
        [f"[{text(spec.title)}](../optimisers/{spec.key}.md)", verdict(spec, found)] for spec in specs.SPECS.values()
    ]
    return table(["optimiser", "runs through it"], rows)


def commands(found: Parametrisation) -> list[str]:
    """Commands of ``normbench run`` for a parametrisation, with the first optimiser that has it by default."""
    takers = [spec for spec in specs.SPECS.values() if not objection(spec, found)]
    own = [spec for spec in takers if spec.parametrisation == found.key]
    named = [f"normbench run --optimiser {spec.key} --parametrisation {found.key}" for spec in (own or takers)[:1]]
    return [f"{command} --lipschitz 20" if found.bounded else command for command in named]


def _published(sections: list[str]) -> list[str]:
    said = "The ways of training through it. [How to read the frontier](../bound.md#how-to-read-the-frontier)."
    return [said, "", *sections] if sections else ["It is on none of the published frontiers.", ""]


def _others(found: Parametrisation) -> list[Parametrisation]:
    return [other for other in PARAMETRISATIONS.values() if other.key != found.key]


def index_page(sources: Sources) -> str:
    """The table of all parametrisations, and what a sidebar lists."""
    rows = [_index_row(found, sources) for found in PARAMETRISATIONS.values()]
    header = ["key", "parametrisation", "source", "weights", "keeps a bound", "optimisers", "best rank over all bounds"]
    said = (
        "What an optimiser moves, and the plain network that it stands for. `--parametrisation KEY` names one; "
        "[a bound that you name](../bound.md) says what they give."
    )
    listed = ["```{toctree}", ":hidden:", "", *PARAMETRISATIONS, "```"]
    return page(["# Parametrisations", "", said, "", *table(header, rows), *listed])


def _index_row(found: Parametrisation, sources: Sources) -> list[str]:
    _, rank = best_ranks(sources.published, _is_through(found))
    movers = sum(not objection(spec, found) for spec in specs.SPECS.values())
    bounded, link = "yes" if found.bounded else "no", f"[{text(found.title)}]({found.key}.md)"
    return [f"`{found.key}`", link, text(found.source), text(found.equation), bounded, str(movers), rank]
