"""The libraries that the page carries with it, and their licences."""

from functools import cache
from importlib.resources import files

import vl_convert
from itables.utils import read_package_file

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


@cache
def vega() -> str:
    """Vega and Vega-Embed as one classic script, which sets ``vegaEmbed``."""
    return _inside_a_script(vl_convert.javascript_bundle(_SNIPPET))


@cache
def datatables() -> str:
    """DataTables as an ES module, whose default export it is; itables' bundle, with its notices."""
    return _inside_a_script(read_package_file("html/dt_bundle.js"))


@cache
def datatables_style() -> str:
    """Style sheet of DataTables."""
    return read_package_file("html/dt_bundle.css")


def own(name: str) -> str:
    """A file of this package: style sheet, script or licence texts."""
    return (files("normbench.presentation.page") / "static" / name).read_text(encoding="utf-8")


def _inside_a_script(source: str) -> str:
    """The same program without the words that end a script element or open a comment in one."""
    return source.replace("</script", r"\x3c/script").replace("<!--", r"\x3c!--")
