"""Pictures for print: panels beside one another, a title, a caption and a key, written as SVG, PDF and CSV."""

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from normbench.data import dataset
from normbench.presentation.charts.base import CONFIG, AnyChart, Layers
from normbench.presentation.charts.data import SharedRows
from normbench.presentation.charts.looks import Looks
from normbench.presentation.palette import BACKGROUNDS, ink
from normbench.records.formats import csv_frame
from normbench.records.schema import Record
from normbench.writing import write_bytes, write_text

Rows = list[dict[str, Any]]  # what the jobs that look into a training return

_LETTERS = 128  # of a line of the caption
_LETTER, _KEY_LINE, _KEY_ROW = 6, 34, 17  # pixels
# Every panel with its own colours, dashes and shapes: a scale shared by name would mix what they stand for.
_APART = alt.Resolve(scale=alt.ScaleResolveMap(color="independent", shape="independent", strokeDash="independent"))
_HEAD: Any = {"anchor": "start", "fontWeight": "normal", "color": "var(--text)"}
_FOOT: Any = {**_HEAD, "fontSize": 10.5, "orient": "bottom", "offset": 10, "color": "var(--muted)"}
# One face of one font, which vl-convert brings along: every machine measures and draws the same. Viewers of the SVG
# without it have Arial, whose letters are as wide.
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


@dataclass(frozen=True, eq=False)
class Picture:
    """A chart and exactly the numbers that are drawn in it.

    Attributes
    ----------
    name : str
        Of the files, without ending.
    chart : VConcatChart
        From :func:`sheet`.
    data : DataFrame
        Tidy; a unit stands in the column's name or in a column of its own.
    """

    name: str
    chart: alt.VConcatChart
    data: pd.DataFrame

    def vega(self) -> dict[str, Any]:
        """The compiled chart in the colours of print."""
        declared = self.chart.to_dict(validate=False)  # its thousands of rows would be checked one by one
        compiled = vl_convert.vegalite_to_vega(declared, config=CONFIG | {"font": _FONT, "background": BACKGROUNDS[0]})
        nothing_picked = {"name": "picked", "value": []}  # what the legend of the page would fade
        return _printed(compiled | {"signals": [nothing_picked, *compiled.get("signals", [])]})

    def svg(self) -> str:
        """The picture as SVG."""
        return _counted(vl_convert.vega_to_svg(self.vega()))

    def save(self, folder: Path) -> list[Path]:
        """Write SVG, PDF and CSV; the same data give the same bytes, but for the order of the objects in the PDF.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        svg, pdf, csv = (folder / f"{self.name}{ending}" for ending in (".svg", ".pdf", ".csv"))
        drawn = self.svg()
        write_text(svg, drawn)
        write_bytes(pdf, vl_convert.svg_to_pdf(drawn))
        write_text(csv, csv_frame(self.data).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        return [svg, pdf, csv]


def _printed(node: Any) -> Any:
    """The specification with the light colours of the page in place of their names, upright and in one weight."""
    if isinstance(node, dict):
        return {key: _printed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_printed(value) for value in node]
    if not isinstance(node, str):
        return node
    plain = "normal" if node in ("italic", "bold") else node
    return re.sub(r"var\(--[\w-]+\)", lambda name: ink(name[0]), plain)


def _counted(svg: str) -> str:
    """The SVG with its clip paths counted from 1: vl-convert counts on over all pictures of a process."""
    numbers: dict[str, str] = {}
    return re.sub(r'(?<=["#]clip)\d+(?=[")])', lambda found: numbers.setdefault(found[0], str(len(numbers) + 1)), svg)


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a figure come from, for its title and caption."""

    task: str
    unit: str
    backend: str
    dtype: str
    simulated: bool
    seeds: int

    @property
    def data(self) -> str:
        """``quadrotor-sim, SIMULATED data``."""
        return f"{self.task}, {dataset.origin(self.simulated)} data"

    @property
    def runs(self) -> str:
        """``jax, float32, 3 seeds``."""
        return f"{self.backend}, {self.dtype}, {self.seeds} seed{'' if self.seeds == 1 else 's'}"


def origin(records: Sequence[Record]) -> Origin:
    """Origin of records that share task and backend."""
    first = records[0]
    dtypes = "/".join(sorted({record.request.dtype for record in records}))
    seeds = len({record.request.seed for record in records})
    return Origin(
        first.request.task, first.outcome.unit, first.request.backend, dtypes, first.provenance.simulated, seeds
    )


def panel(*layers: AnyChart, title: str = "", width: float, height: float, anchor: str = "middle") -> Layers:
    """Layers on common axes under a small title."""
    head = {"title": alt.TitleParams(title, fontSize=12, offset=6, **(_HEAD | {"anchor": anchor}))} if title else {}
    return alt.layer(*layers, width=width, height=height, **head)


def key(
    looks: Looks, *, title: str = "", label: Callable[[Any], str] = str, lines: bool = True, shapes: bool = True
) -> Layers:
    """What each look means: a piece of its line, its mark, its name."""
    named = {name: label(name) for name in looks.names}
    longest = max(len(line) for words in [title, *named.values()] for line in words.split("\n"))
    tall = max(words.count("\n") for words in named.values()) + 1
    data = SharedRows(values=[{"name": name, "label": words} for name, words in named.items()])
    place = alt.Y("name:N", sort=list(looks.names), axis=None)
    entries = alt.Chart(data).encode(y=place, color=looks.colour("name"))
    line = entries.mark_rule(strokeWidth=1.8, aria=False).encode(
        x=alt.value(0), x2=alt.value(_KEY_LINE), strokeDash=looks.dash("name")
    )
    mark = entries.mark_point(filled=True, size=60, opacity=1, aria=False).encode(
        x=alt.value(_KEY_LINE / 2), shape=looks.shape("name")
    )
    text = (
        alt.Chart(data)
        .mark_text(align="left", baseline="middle", fontSize=11, lineBreak="\n")
        .encode(y=place, x=alt.value(_KEY_LINE + 8), text="label:N")
    )
    return panel(
        *([line] if lines else []), *([mark] if shapes else []), text,
        title=title, width=_KEY_LINE + 8 + _LETTER * longest, height=_KEY_ROW * tall * len(named), anchor="start",
    )  # fmt: skip


def sheet(
    title: str, caption: str, panels: Sequence[AnyChart], *, columns: int, legend: AnyChart | None = None
) -> alt.VConcatChart:
    """Panels in rows of ``columns``, the key to their right, the title above, the wrapped caption below."""
    head = alt.TitleParams(title, fontSize=15, offset=12, **_HEAD)
    foot = alt.TitleParams(textwrap.wrap(caption, _LETTERS), **_FOOT)
    # all at once: what is set on a chart later makes it, and every chart in it, anew
    titled: Any = {"resolve": _APART, "title": head}
    if legend is None:
        body: alt.ConcatChart | alt.HConcatChart = alt.concat(*panels, columns=columns, spacing=14, **titled)
    else:
        body = alt.hconcat(
            alt.concat(*panels, columns=columns, spacing=14, resolve=_APART), legend, spacing=16, **titled
        )
    return alt.vconcat(body, resolve=_APART, title=foot)
