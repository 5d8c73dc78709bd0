"""A real record, as in the tests of records."""

from tests.records.conftest import dataset, record  # noqa: F401
