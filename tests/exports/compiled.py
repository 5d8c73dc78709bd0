"""C files compiled by the system's compiler without a warning, and their functions called on rows of a table."""

import ctypes
import os
import shutil
import subprocess

import numpy as np
import pytest

COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"]
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed")

_TYPES = {"float32": ctypes.c_float, "float64": ctypes.c_double}


class Library:
    """The functions of an exported network."""

    def __init__(self, source, dtype):
        shared = source.with_suffix(".so")
        flags = ["-std=c99", *STRICT, "-Wmissing-prototypes", "-O1", "-shared", "-fPIC"]
        subprocess.run([*COMPILER.split(), *flags, "-o", shared, source, "-lm"], check=True)
        self._library, self._name, self._type = ctypes.CDLL(str(shared)), source.stem, _TYPES[dtype]

    def values(self, function, x, outputs):
        """Of a function that writes ``outputs`` numbers."""
        found = np.zeros((len(x), outputs))
        for row, into in zip(x, found, strict=True):
            result = (self._type * outputs)()
            self._function(function, None)(self._row(row), result)
            into[:] = result
        return found

    def in_place(self, function, x):
        """Of a function with as many outputs as inputs, or fewer, that writes them over its inputs."""
        row = self._row(x)
        self._function(function, None)(row, row)
        return np.array(row)

    def numbers(self, function, x, *, integer=False):
        """Of a function that returns one."""
        called = self._function(function, ctypes.c_int if integer else self._type)
        return np.array([called(self._row(row)) for row in x])

    def _function(self, name, returned):
        found = getattr(self._library, f"{self._name}_{name}")
        found.restype = returned
        return found

    def _row(self, x):
        return (self._type * len(x))(*x)
