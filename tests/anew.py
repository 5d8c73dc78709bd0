"""The package imported anew in this process, from its own folder or a changed copy: a fresh process costs seconds."""

import contextlib
import sys


def _ours():
    """The package, and the pool of these tests that stands in for its own."""
    return {
        name: module
        for name, module in sys.modules.items()
        if name.split(".")[0] == "normbench" or name == "tests.this_process"
    }


@contextlib.contextmanager
def imported_anew(path=None):
    """Every import of the package is a first one meanwhile, from ``path`` where it is given; gives what is loaded."""
    before, found = _ours(), list(sys.path)
    for name in before:
        del sys.modules[name]
    if path is not None:
        sys.path.insert(0, str(path))
    try:
        yield _ours
    finally:
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(before)
        sys.path[:] = found
