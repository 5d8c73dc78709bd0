"""A real record, as in the tests of records."""

from tests.records.conftest import dataset, record  # noqa: F401
from tests.this_process import in_this_process  # noqa: F401
