"""What the charts share: the page's controls as parameters, colours, and the way from Altair to Vega."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import vl_convert

from normbench.backends import Backend
from normbench.presentation.palette import variable

COST_NAMES = {
    "iterations": "iterations",
    "loss_evaluations": "loss evaluations",
    "gradient_evaluations": "gradient evaluations",
    "seconds": "seconds of training",
}
HEIGHT = 340

Layers = alt.LayerChart | alt.FacetChart  # what alt.layer returns
AnyChart = alt.Chart | Layers

SHOWN = (
    "(backend == 'both' || datum.backend == backend) && "
    "(rule == 'both' || (rule == 'best' ? datum.best : datum.default))"
)
_PICKED = "length(picked) == 0 || indexof(picked, datum.optimiser) >= 0"
_COST_TITLE = "@cost"  # stands in the declaration for a title that follows the control

CONFIG = {
    "background": "transparent",
    "font": 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "gridColor": "var(--grid)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 190,
        "labelSeparation": 8,
        "labelOverlap": "greedy",
    },
    "view": {"stroke": None},
    "text": {"color": "var(--text)", "fontSize": 11},
    "rule": {"color": "var(--muted)"},
}


@dataclass(frozen=True)
class Frame:
    """What stands around a chart of the page, and what it tells apart.

    Attributes
    ----------
    source : str
        Inside the picture, above the axes; says where the data are simulated.
    simulated : bool
        True if any of the data are.
    description : str
        For readers who cannot see the chart.
    unit : str
        Of the RMS.
    optimisers : tuple of str
        For colours and legend, in the order of the registry.
    backends : mapping of str to Backend
        By the label that the rows have for it, for dashes and marks.
    """

    source: str
    simulated: bool
    description: str
    unit: str = ""
    optimisers: tuple[str, ...] = ()
    backends: Mapping[str, Backend] = field(default_factory=dict)

    @property
    def colour(self) -> alt.Color:
        """Colour by optimiser; the page draws the legend."""
        return alt.Color("optimiser:N", scale=colours(self.optimisers), legend=None)

    @property
    def dash(self) -> alt.StrokeDash:
        """Lines by backend, as each declares its own."""
        dashes = [list(backend.dash) for backend in self.backends.values()]
        return alt.StrokeDash("backend:N", scale=alt.Scale(domain=list(self.backends), range=dashes), legend=None)

    @property
    def shape(self) -> alt.Shape:
        """Marks by backend, as each declares its own."""
        shapes = [backend.shape for backend in self.backends.values()]
        return alt.Shape("backend:N", scale=alt.Scale(domain=list(self.backends), range=shapes), legend=None)


def control(name: str, value: Any) -> alt.Parameter:
    """A parameter that follows the input element of that name in the page."""
    return alt.param(name=name, value=value, bind=alt.BindDirect(element=f"#control-{name}"))


def picked() -> alt.Parameter:
    """Optimisers picked in the legend; none means all."""
    return alt.param(name="picked", value=[])


def colours(optimisers: Sequence[str]) -> alt.Scale:
    """One colour per optimiser."""
    return alt.Scale(domain=list(optimisers), range=[variable(name) for name in optimisers])


def faded(full: float = 1.0) -> alt.OpacityValue:
    """Opacity that lets what is not picked recede."""
    return alt.OpacityValue(**alt.condition(_PICKED, alt.value(full), alt.value(0.1 * full)))


def cost_axis(**changes: Any) -> alt.Axis:
    """An axis whose title names the cost that the control has chosen."""
    return alt.Axis(title=_COST_TITLE, tickCount=6, **changes)


def ticks(domain: tuple[float, float]) -> list[float]:
    """Round values inside the domain: seven to fifteen of them, where a logarithmic axis would choose too few."""
    low, high = domain
    if not low < high:
        return [low]
    raw = (high - low) / 15
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def narrow() -> alt.Parameter:
    """True on a phone, where names have no room beside a chart."""
    return alt.param(name="narrow", expr="containerSize()[0] < 480")


def compiled(chart: AnyChart, frame: Frame, *, height: int | alt.Step = HEIGHT) -> dict[str, Any]:
    """The chart, as wide as the page lets it, as a Vega specification; the page fills in its named data."""
    title = alt.TitleParams(
        frame.source, anchor="start", offset=12, fontSize=12, fontWeight="normal", color="var(--muted)"
    )
    framed = chart.properties(width="container", height=height, title=title, description=frame.description)
    declared = framed.to_dict(validate=False)  # its parts were validated when they were made
    specification = vl_convert.vegalite_to_vega(declared, config=CONFIG)
    titles = "{" + ", ".join(f"{name}: '{words}'" for name, words in COST_NAMES.items()) + "}[cost]"
    return _with_title(specification, {"signal": titles})


def _with_title(node: Any, title: dict[str, str]) -> Any:
    """The specification with the placeholder title replaced: Vega can compute a title, Vega-Lite cannot yet."""
    if isinstance(node, dict):
        return {key: title if value == _COST_TITLE else _with_title(value, title) for key, value in node.items()}
    return [_with_title(value, title) for value in node] if isinstance(node, list) else node
