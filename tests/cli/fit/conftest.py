"""The tables of the tests of ``normbench fit``."""

from tests.cli.fit.fits import surfaces, table  # noqa: F401
