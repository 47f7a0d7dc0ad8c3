"""A study is a folder with a ``study.py``: how it is found, and what it must provide.

======================  ==========================================================================
``study.py``            ``TITLE``, ``REFERENCE``, ``configurations(preset, data) -> list[dict]``,
                        ``run(configuration) -> dict``; optionally ``VERSION``, an int to raise
                        whenever stored results must not be reused
``claims.py``           ``CLAIMS: list[Claim]``
``plot.py``             ``figures(results) -> iterable of (name, caption, matplotlib Figure)``
``README.md``           what is faithful to the paper and what is lost
``bench.py``            optional: ``run(quick) -> list[Table]``
======================  ==========================================================================

Everything that crosses the border between a study and the harness is checked here, so that a
mistake in a study is reported in its author's words (file and key) and not somewhere downstream.
"""

import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np

from experiments._harness.claims import Claim
from experiments._harness.tables import Table

STUDIES = Path(__file__).resolve().parents[1]
PRESETS = ("quick", "paper")


class ContractError(ValueError):
    """A study does not provide what its contract asks for."""


class DataFileError(ValueError):
    """A file that the user gave is not what a study can read; shown as one sentence."""


@dataclass(frozen=True)
class Study:
    """One study; its modules are imported when they are first needed.

    Parameters
    ----------
    name : str
        Name of the folder.
    folder : pathlib.Path
        Where it is.
    package : str
        Dotted name under which it is imported.
    """

    name: str
    folder: Path
    package: str

    @property
    def title(self) -> str:
        """What the study is about, in one line."""
        return str(self._required("study", "TITLE"))

    @property
    def reference(self) -> str:
        """The paper it reproduces."""
        return str(self._required("study", "REFERENCE"))

    @property
    def version(self) -> int:
        """Part of the name of every stored result."""
        version = getattr(self._module("study"), "VERSION", 1)
        if isinstance(version, bool) or not isinstance(version, Integral):
            raise ContractError(f"{self.name}/study.py: VERSION is {version!r}, want an int")
        return int(version)

    def configurations(self, preset: str, data: dict[str, str]) -> list[dict]:
        """Return the declarative grid, one flat dict of JSON values for each run."""
        listed = self._required("study", "configurations")(preset, dict(data))
        where = f"{self.name}/study.py: configurations({preset!r})"
        grid, seen = [], set()
        for i, one in enumerate(listed):
            one = flat(one, f"{where}[{i}]")
            text = repr(sorted(one.items()))
            if text in seen:
                raise ContractError(f"{where} lists the same configuration twice: {one}")
            grid.append(one)
            seen.add(text)
        return grid

    def run(self, configuration: dict) -> dict:
        """Compute the flat record of one configuration."""
        where = f"{self.name}/study.py: the record of run"
        record = flat(self._required("study", "run")(dict(configuration)), where)
        for key in configuration.keys() & record.keys():
            if configuration[key] != record[key]:
                raise ContractError(f"{where} contradicts the configuration's {key!r}")
        return record

    def claims(self) -> list[Claim]:
        """Return the claims, none where the study has no ``claims.py``."""
        if not self.has("claims"):
            return []
        claims = list(self._required("claims", "CLAIMS"))
        ids = [claim.id if isinstance(claim, Claim) else None for claim in claims]
        if None in ids or len(set(ids)) < len(ids):
            raise ContractError(f"{self.name}/claims.py: CLAIMS wants Claim objects with own ids")
        return claims

    def figures(self, results) -> Iterator[tuple]:
        """Yield (name, caption, figure) for each figure, none where there is no ``plot.py``."""
        if self.has("plot"):
            yield from self._required("plot", "figures")(results)

    def readme(self) -> str:
        """Return the text of ``README.md``, empty where there is none."""
        path = self.folder / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def bench(self, quick: bool, only: Sequence[str] = ()) -> Iterator[Table]:
        """Run the study's benchmark, or some of its PARTS, and yield each table when it is made."""
        if not self.has("bench"):
            raise ContractError(f"study {self.name!r} has no bench.py")
        parts = getattr(self._module("bench"), "PARTS", ())
        for part in only:
            if part not in parts:
                raise ContractError(
                    f"the benchmark of {self.name!r} has no part {part!r}; "
                    f"there are: {', '.join(parts) or 'none'}"
                )
        run = self._required("bench", "run")
        return self._tables(run(quick, only) if only else run(quick))

    def _tables(self, made):
        for table in made:
            if not isinstance(table, Table):
                raise ContractError(f"{self.name}/bench.py: run wants to return a list of Table")
            yield table

    def has(self, part: str) -> bool:
        """Whether the study has the module `part`."""
        return (self.folder / f"{part}.py").is_file()

    def _module(self, part):
        return importlib.import_module(f"{self.package}.{part}")

    def _required(self, part, attribute):
        module = self._module(part)
        if not hasattr(module, attribute):
            raise ContractError(f"{self.name}/{part}.py does not define {attribute}")
        return getattr(module, attribute)


def discover(root: Path = STUDIES) -> dict[str, Study]:
    """Find the studies below a folder, in alphabetical order.

    Parameters
    ----------
    root : pathlib.Path
        The folder; by default the one that holds this package's own studies.

    Returns
    -------
    dict of str to Study
        Folders that begin with an underscore, and folders without ``study.py``, are skipped.
    """
    root = Path(root).resolve()
    if not root.is_dir():
        raise ContractError(f"{root} is not a folder: nowhere to look for studies")
    package = _package(root)
    return {
        folder.name: Study(folder.name, folder, f"{package}.{folder.name}")
        for folder in sorted(root.iterdir())
        if not folder.name.startswith(("_", ".")) and (folder / "study.py").is_file()
    }


def flat(mapping: dict, where: str) -> dict:
    """Copy a dict into plain JSON values, or say which value is none.

    Parameters
    ----------
    mapping : dict
        Keys are strings; values are scalars (NumPy's too) or flat sequences of scalars.
    where : str
        Beginning of the error message.

    Returns
    -------
    dict
    """
    if not isinstance(mapping, dict):
        raise ContractError(f"{where} is a {type(mapping).__name__}, want a dict")
    plain = {}
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise ContractError(f"{where}: key {key!r} is not a string")
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, (list, tuple)):
            plain[key] = [_scalar(one, f"{where}: {key!r} holds") for one in value]
        else:
            plain[key] = _scalar(value, f"{where}: {key!r} is")
    return plain


def _scalar(value, where):
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ContractError(
        f"{where} a {type(value).__name__}; allowed are numbers, strings, booleans, None "
        "and flat lists of them"
    )


def _package(root):
    """Name under which the studies of `root` are imported.

    Our own folder is the package it is. Any other folder becomes a package named after its
    path: two folders may then hold studies of the same name, in one process, and a worker
    process that is told the folder arrives at the same name.
    """
    importlib.invalidate_caches()
    if root == STUDIES:
        return STUDIES.name
    name = f"studies_{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return name
