"""What the pages of docs/clients define, on which these tests try every optimiser."""

import pytest

from tests.clients.of_pages import defined


def _of_page(page: str, what: str):
    """A fixture: the names that the snippets of a page with these words define."""

    @pytest.fixture(scope="session")
    def names():
        return defined(f"clients/{page}", what)

    return names


in_lightning = _of_page("lightning", "class ")  # modules Digits and Averaged
in_skorch = _of_page("skorch", "class ")  # the net Automatic
in_equinox = _of_page("equinox", "def fit")  # step and fit
in_flax = _of_page("flax", "def fit")  # step and fit
in_keras = _of_page("keras", "def fit")  # step, fit and put
