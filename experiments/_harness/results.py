"""The stored results of a study's last run, as the table that claims and figures read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments._harness.store import DamagedResult, Store


@dataclass(frozen=True)
class Results:
    """What the files of a study hold.

    Parameters
    ----------
    manifest : dict
        The record of the run: command, preset, environment.
    frame : pandas.DataFrame
        A row for each stored result, in the order of the configurations; the columns are the
        keys of the configuration, then those of the record. Lists stay lists.
    infos : list of dict
        Seconds, versions and time of each row. Kept apart: they differ from run to run.
    missing : list of tuple
        (configuration, why) for each configuration without a result.
    """

    manifest: dict
    frame: Any
    infos: list[dict]
    missing: list[tuple[dict, str]]

    @property
    def shortfall(self) -> str:
        """A sentence if results are missing, else empty."""
        total = len(self.frame) + len(self.missing)
        if not self.missing:
            return ""
        return f"Only {len(self.frame)} of {total} configurations have a result."


def load_results(out, study: str) -> Results | None:
    """Read the results of a study's last run from the output folder.

    Parameters
    ----------
    out : path-like
        The output folder.
    study : str
        Name of the study.

    Returns
    -------
    Results or None
        None if the study was never run into this folder.
    """
    import pandas as pd

    store = Store(Path(out), study)
    manifest = store.load_manifest()
    if manifest is None:
        return None
    rows, infos, missing = [], [], []
    for identity in manifest["tasks"]:
        document, problem = _load(store, identity)
        if document is None:
            missing.append((identity["configuration"], problem))
        else:
            rows.append({**identity["configuration"], **document["record"]})
            infos.append(document["info"])
    return Results(manifest, pd.DataFrame(rows), infos, missing)


def _load(store, identity):
    try:
        document = store.load(identity)
    except DamagedResult as problem:
        return None, str(problem)
    return document, store.load_error(identity["key"]) or "not computed yet"
