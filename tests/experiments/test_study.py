import numpy as np
import pytest

from experiments._harness.study import STUDIES, ContractError, discover, flat

from ._toys import STUDY, write_study, write_whole_study


def test_discovery_takes_folders_with_a_study_and_skips_the_rest(studies):
    write_study(studies, "b_study", study=STUDY)
    write_study(studies, "a_study", study=STUDY)
    write_study(studies, "_private", study=STUDY)
    write_study(studies, "no_study", claims="CLAIMS = []")
    assert list(discover(studies)) == ["a_study", "b_study"]


def test_two_folders_may_hold_studies_of_one_name(tmp_path):
    for title in ("one", "two"):
        write_study(tmp_path / title, study=f"TITLE = {title!r}")
    found = [discover(tmp_path / title)["means"].title for title in ("one", "two")]
    assert found == ["one", "two"]


def test_own_studies_keep_their_package():
    assert all(one.package == f"experiments.{name}" for name, one in discover(STUDIES).items())


def test_modules_of_a_study_import_each_other(studies):
    write_study(studies, study="from ._helper import TITLE", _helper="TITLE = 'from afar'")
    assert discover(studies)["means"].title == "from afar"


def test_whole_study(studies):
    write_whole_study(studies)
    study = discover(studies)["means"]
    assert study.version == 1
    assert len(study.configurations("quick", {})) == 6
    assert len(study.configurations("paper", {})) == 10
    assert study.configurations("quick", {"x": "/a"})[0]["file_x"] == "/a"
    record = study.run({"n": 5, "seed": 0})
    assert isinstance(record["path"], list) and isinstance(record["n_odd"], int)
    assert [claim.id for claim in study.claims()] == ["small", "exact", "images"]


def test_optional_parts_may_be_absent(studies):
    write_study(studies, study=STUDY)
    study = discover(studies)["means"]
    assert study.claims() == [] and study.readme() == "" and list(study.figures(None)) == []
    with pytest.raises(ContractError, match="no bench.py"):
        study.bench(quick=True)


@pytest.mark.parametrize(
    ("source", "work", "message"),
    [
        ("REFERENCE = ''", lambda s: s.title, "does not define TITLE"),
        ("VERSION = 'two'", lambda s: s.version, "VERSION is 'two'"),
        (
            "configurations = lambda preset, data: [{'a': 1}, {'a': 2}, {'a': 1}]",
            lambda s: s.configurations("quick", {}),
            "same configuration twice",
        ),
        (
            "configurations = lambda preset, data: [{'a': {}}]",
            lambda s: s.configurations("quick", {}),
            r"\[0\]: 'a' is a dict",
        ),
        ("run = lambda c: [1]", lambda s: s.run({}), "is a list, want a dict"),
        ("run = lambda c: {'m': [[1]]}", lambda s: s.run({}), "'m' holds a list"),
        ("run = lambda c: {'a': 2}", lambda s: s.run({"a": 1}), "contradicts .* 'a'"),
    ],
)
def test_broken_contract_names_file_and_key(studies, source, work, message):
    write_study(studies, study=source)
    with pytest.raises(ContractError, match=message):
        work(discover(studies)["means"])


def test_claims_of_one_id_are_refused(studies):
    source = """
        from experiments._harness import Claim
        CLAIMS = [Claim("a", "A.", None, len), Claim("a", "B.", None, len)]
    """
    write_study(studies, study=STUDY, claims=source)
    with pytest.raises(ContractError, match="claims.py"):
        discover(studies)["means"].claims()


def test_error_inside_a_study_is_not_taken_for_a_broken_contract(studies):
    write_study(studies, study="import a_module_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        _ = discover(studies)["means"].title


def test_flat_turns_numpy_into_json():
    record = flat({"a": np.float32(0.5), "b": np.arange(2), "c": (True, None), "d": "x"}, "here")
    assert record == {"a": 0.5, "b": [0, 1], "c": [True, None], "d": "x"}
    assert [type(record["a"]), type(record["b"][0])] == [float, int]
