"""Records with chosen figures, as in the tests of the analysis."""

from tests.analysis.conftest import make, real_record  # noqa: F401
from tests.this_process import in_this_process  # noqa: F401
