"""Records with chosen figures, as in the tests of the analysis."""

from tests.analysis.conftest import make, real_record  # noqa: F401
