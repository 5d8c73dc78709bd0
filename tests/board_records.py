"""The published records, which a clone has; an sdist has their boards alone."""

from pathlib import Path

import pytest

from ci.results import RESULTS


def published(name: str) -> Path:
    """The file of that name in ``results/``; in an sdist, which has none, the test that asks for it is skipped."""
    path = RESULTS / name
    if not path.exists() and (RESULTS.parent / "PKG-INFO").exists():
        pytest.skip(f"an sdist has boards and not their records, of which {name} is one file")
    return path
