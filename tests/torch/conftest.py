"""The cases of tests/agreement, for the drop-in optimisers."""

from tests.agreement.cases import case, case_of, deviation, each  # noqa: F401
