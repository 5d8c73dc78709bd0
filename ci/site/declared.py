"""Pages of the site that follow from the declarations: one an optimiser, one a parametrisation, and their tables.

Nothing here lists optimisers or parametrisations: what is declared in :mod:`normbench.specs` has a page.
"""

from pathlib import Path

import normbench
from ci.site import ROOT, optimisers, parametrisations
from ci.site.optimisers import Sources
from ci.site.published import read
from normbench import specs
from normbench.specs.parametrisations import PARAMETRISATIONS

PACKAGE = Path(normbench.__file__).parent
RESULTS = ROOT / "results"


def pages(*, package: Path = PACKAGE, results: Path = RESULTS) -> dict[str, str]:
    """MyST Markdown by path below docs/.

    Parameters
    ----------
    package : Path
        The sources of normbench, whose docstrings are read; nothing of torch and JAX is imported.
    results : Path
        The folder with leaderboard.csv and frontier.csv; pages say where an optimiser has no rows.

    Raises
    ------
    InvalidArgumentError
        If an optimiser lacks a class that its declaration promises.
    """
    sources = Sources(package, read(results))
    return {
        "optimisers/index.md": optimisers.index_page(sources),
        **{f"optimisers/{key}.md": optimisers.optimiser_page(spec, sources) for key, spec in specs.SPECS.items()},
        "parametrisations/index.md": parametrisations.index_page(sources),
        **{
            f"parametrisations/{key}.md": parametrisations.parametrisation_page(found, sources)
            for key, found in PARAMETRISATIONS.items()
        },
    }
