"""The reason stored with a failed run is the message of its error."""

import pytest

from normbench.campaigns.engine.reasons import LONGEST_REASON, last_line


def noted():
    error = ValueError("shapes do not fit")
    error.add_note("For simplicity, JAX has removed its internal frames")
    return error


def caused(error, cause):
    error.__cause__ = cause
    return error


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


ERRORS = [
    (noted(), "ValueError: shapes do not fit"),
    (KeyError("x"), "KeyError: 'x'"),
    (RuntimeError(), "RuntimeError"),
    (RuntimeError("  \n\n  first\nsecond"), "RuntimeError: first"),
    (caused(RuntimeError("outer"), ValueError("inner")), "RuntimeError: outer"),
    (caused(RuntimeError(), ValueError("inner")), "RuntimeError: ValueError: inner"),
    (
        ExceptionGroup("two", [noted(), KeyError("x")]),
        "ExceptionGroup: two (2 sub-exceptions): ValueError: shapes do not fit",
    ),
    (ExceptionGroup("a", [ExceptionGroup("b", [OSError(28, "disk full")])]), "OSError: [Errno 28] disk full"),
    (UnprintableError(), "UnprintableError"),
    (RuntimeError("a\tb\x1b[31mc"), "RuntimeError: a b [31mc"),
]


@pytest.mark.parametrize(
    ("error", "expected"), ERRORS, ids=[repr(error)[:30] for error, _ in ERRORS[:-2]] + ["mute", "escapes"]
)
def test_the_reason_is_the_first_line_of_the_error_itself(error, expected):
    reason = last_line(error)
    assert reason.endswith(expected)
    assert "removed" not in reason
    assert reason.isprintable()


def test_a_reason_is_not_too_long():
    endless = RuntimeError()
    caused(endless, endless)
    assert last_line(endless).startswith("RuntimeError")
    assert len(last_line(ValueError("x" * 10**6))) == LONGEST_REASON


def test_the_reason_of_an_error_that_leaves_a_jitted_function():
    jax = pytest.importorskip("jax")

    def step(x):
        raise ValueError("shapes (3,) and (4,) do not fit")

    with pytest.raises(ValueError, match="do not fit") as found:
        jax.jit(step)(1.0)
    assert last_line(found.value) == "ValueError: shapes (3,) and (4,) do not fit"
