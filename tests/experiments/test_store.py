import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from experiments._harness.store import (
    DamagedResult,
    Store,
    file_digest,
    identify,
    write_atomically,
)

CONFIGURATION = {"n": 3, "name": "ä", "grid": [0.1, 1e-300], "flag": None}
IDENTITY = identify("means", 1, CONFIGURATION, {})


def save(store, identity=IDENTITY, **record):
    store.save({**identity, "record": record, "info": {"seconds": 1.0}})


def test_round_trip_is_exact(tmp_path):
    store = Store(tmp_path, "means")
    assert store.load(IDENTITY) is None
    save(store, third=1 / 3, path=[float("inf"), 5e-324])
    assert store.load(IDENTITY)["record"] == {"third": 1 / 3, "path": [float("inf"), 5e-324]}


def test_key_is_stable_between_processes_and_depends_on_each_part():
    code = (
        "from experiments._harness.store import identify; "
        f"print(identify('means', 1, {dict(reversed(CONFIGURATION.items()))!r}, {{}})['key'])"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == IDENTITY["key"]
    keys = {
        identify("means", 1, CONFIGURATION, {})["key"],
        identify("other", 1, CONFIGURATION, {})["key"],
        identify("means", 2, CONFIGURATION, {})["key"],
        identify("means", 1, {**CONFIGURATION, "n": 4}, {})["key"],
        identify("means", 1, CONFIGURATION, {"images": "00"})["key"],
    }
    assert len(keys) == 5


def test_any_changed_byte_is_noticed(tmp_path):
    store = Store(tmp_path, "means")
    save(store, value=1.25)
    path = store.path(IDENTITY["key"])
    whole = path.read_bytes()
    for position in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DamagedResult):
            store.load(IDENTITY)


@pytest.mark.parametrize("length", [0, 1, 100, -2])
def test_truncated_file_is_damaged(tmp_path, length):
    store = Store(tmp_path, "means")
    save(store, value=1.25)
    path = store.path(IDENTITY["key"])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedResult, match="damaged"):
        store.load(IDENTITY)


def test_result_of_another_configuration_is_foreign(tmp_path):
    store = Store(tmp_path, "means")
    other = identify("means", 1, {"n": 4}, {})
    save(store, other, value=1)
    store.path(other["key"]).rename(store.path(IDENTITY["key"]))
    with pytest.raises(DamagedResult, match="foreign"):
        store.load(IDENTITY)


def test_json_that_is_no_result_is_foreign(tmp_path):
    write_atomically(Store(tmp_path, "means").path(IDENTITY["key"]), "[1, 2]")
    with pytest.raises(DamagedResult, match="foreign"):
        Store(tmp_path, "means").load(IDENTITY)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    store = Store(tmp_path, "means")
    save(store, value=1)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(store, value=2)
    monkeypatch.undo()
    assert store.load(IDENTITY)["record"] == {"value": 1}
    assert len(store.clean()) == 1
    assert [path.name for path in store.results.iterdir()] == [f"{IDENTITY['key']}.json"]


def test_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file.json"
    contents = [{"x": [i] * 20_000} for i in range(2)]
    write_atomically(path, contents[0])
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for content in contents:
                write_atomically(path, content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(json.loads(path.read_bytes()) in contents for _ in range(200))
    finally:
        stop.set()
        writer.join()


def test_write_survives_the_cleaning_of_another_run(tmp_path, monkeypatch):
    store = Store(tmp_path, "means")
    replace, cleaned = os.replace, []

    def clean_first(source, target):
        cleaned.extend(store.clean() if not cleaned else [])
        replace(source, target)

    monkeypatch.setattr(os, "replace", clean_first)
    save(store, value=1)
    assert len(cleaned) == 1 and store.load(IDENTITY)["record"] == {"value": 1}


def test_success_forgets_the_failure(tmp_path):
    store = Store(tmp_path, "means")
    store.save_error(IDENTITY, "Traceback: boom")
    assert store.load_error(IDENTITY["key"]) == "Traceback: boom"
    save(store, value=1)
    assert store.load_error(IDENTITY["key"]) == ""


def test_file_digest_follows_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "b")


def test_an_interrupt_waits_until_the_result_is_written(tmp_path, monkeypatch):
    flush = os.fsync

    def interrupted(number):
        signal.raise_signal(signal.SIGINT)
        flush(number)

    monkeypatch.setattr(os, "fsync", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "result.json", {"a": 1})
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [tmp_path / "result.json"]
    assert signal.getsignal(signal.SIGINT) is before
