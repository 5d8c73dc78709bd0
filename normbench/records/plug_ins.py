"""What a record says of an optimiser of another package: package, version, sources, and how it was declared.

The declaration is part of the record, so that boards are made without the package, and no record makes a reader import
code that it names.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from normbench.errors import InvalidArgumentError
from normbench.records.identity import plain
from normbench.records.libraries import distributions
from normbench.records.strict_json import parse, reason
from normbench.specs import SPECS, Family, Hyperparameter, OptimiserSpec, get, plug_ins

if TYPE_CHECKING:
    from normbench.records.record import Record

PACKAGE, VERSION, DECLARATION, GRIDS = "package", "version", "declaration", "grids"
UNKNOWN = "unknown"  # version of a module that no installed package brings
_DECLARED = ("title", "paper", "equations", "backends", "full_batch", "unsuited", "notes")
_TUPLES = ("grid", "choices")


def provenance(key: str) -> dict[str, str]:
    """Package and version that an optimiser comes from, and its declaration; nothing for one of ours.

    Raises
    ------
    PlugInError
        If it cannot be imported.
    """
    if key in SPECS:
        return {}
    module = _modules(key)[0]
    brought = distributions(module.split(".")[0])
    package = brought[0] if brought else module.split(".")[0]
    version = distribution(package).version if brought else UNKNOWN
    said = {PACKAGE: package, VERSION: version, DECLARATION: _text(get(key))}
    named = plug_ins.given_grids(key)
    return said | ({GRIDS: ",".join(named)} if named else {})


def given_grids(record: "Record") -> tuple[str, ...]:
    """The hyperparameters of another package's optimiser whose grids a user has given."""
    return tuple(filter(None, record.provenance.plug_in.get(GRIDS, "").split(",")))


@cache
def mark(key: str) -> str:
    """What tells runs of one state of a plug-in from those of another; "" for an optimiser of ours.

    Over the name and version of an installed package; over every source file of a package, or of a single module, that
    is none: such code changes without a number.

    Raises
    ------
    PlugInError
        If it cannot be imported.
    """
    if key in SPECS:
        return ""
    digest = hashlib.sha256()
    for module in _modules(key):
        digest.update(_state(module).encode() + b"\0")
    return digest.hexdigest()[:12]


def _modules(key: str) -> list[str]:
    """The module that declares the optimiser, then those of its factories."""
    found = plug_ins.get(key)
    if found is None:
        raise InvalidArgumentError(f"no optimiser {key!r} in an installed package.")
    declared = key if plug_ins.is_address(key) else plug_ins.offered(plug_ins.OPTIMISERS)[key].value
    named = [declared, *(address for _, address in sorted(found.factories.items()))]
    return list(dict.fromkeys(address.partition(":")[0] for address in named))


def _state(module: str) -> str:
    root, spec = module.split(".")[0], find_spec(module)
    file = Path(spec.origin) if spec and spec.origin else None
    for name in distributions(root):
        found = distribution(name)
        folder = Path(str(found.locate_file("")))
        if file and file.is_relative_to(folder):
            inside = file.relative_to(folder).as_posix()
            if any(str(each) == inside for each in found.files or ()):
                return f"{name} {found.version}"
    return _sources(root, file)


def _sources(root: str, file: Path | None) -> str:
    """Hash of every source file of a package, or of the one file of a module."""
    package = find_spec(root)
    folders = list(package.submodule_search_locations or ()) if package else []
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.py")) or ([file] if file else [])
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def _text(spec: OptimiserSpec) -> str:
    said: dict[str, Any] = {name: getattr(spec, name) for name in _DECLARED}
    said["hyperparameters"] = [plain(h) for h in spec.hyperparameters]
    return json.dumps(plain(said))


def declared(key: str, said: Mapping[str, str]) -> OptimiserSpec:
    """The declaration of the optimiser of a record: ours, or that which the record holds.

    Parameters
    ----------
    key : str
    said : mapping of str to str
        What :func:`provenance` gave.

    Raises
    ------
    InvalidArgumentError
        If it is none of ours, and the record has no declaration that can be read.
    """
    if key in SPECS:
        return SPECS[key]
    if DECLARATION not in said:
        raise InvalidArgumentError(
            f"no optimiser {key!r} among those of normbench, and the record does not declare it."
        )
    try:
        read = parse(said[DECLARATION]).value
        hyperparameters = tuple(_hyperparameter(each) for each in read.pop("hyperparameters"))
        values = {name: _frozen(read[name]) for name in _DECLARED}
        if not all(isinstance(values[name], str) for name in ("title", "paper", "equations")):
            raise ValueError("a name is no text")
        return OptimiserSpec(key=key, family=Family.PLUG_IN, hyperparameters=hyperparameters, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidArgumentError(f"the declaration of {key!r} cannot be read: {reason(error)}.") from error


def _hyperparameter(said: Mapping[str, Any]) -> Hyperparameter:
    known = {f.name for f in fields(Hyperparameter)}
    read: dict[str, Any] = {name: _frozen(v) if name in _TUPLES else v for name, v in said.items() if name in known}
    read["default"] = _frozen(read["default"])
    found = Hyperparameter(**read)
    if not isinstance(found.name, str):
        raise TypeError("the name of a hyperparameter is no text")
    return found


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
