"""Records with chosen figures, as in the tests of the analysis."""

from tests.analysis.conftest import level, make, planted, real_record  # noqa: F401
from tests.presentation.curved import table1_runs  # noqa: F401
