"""Every public docstring follows numpydoc, agrees with its signature and has its sections."""

import dataclasses
import inspect
import pydoc

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from sklearn.base import BaseEstimator

from tests._discovery import all_estimators, public_methods, public_objects

# Codes of numpydoc's validator that are not asked for, each with its reason. All others are:
# PR01 to PR03 say that the documented parameters are those of the signature, in its order.
EXCLUDED = {
    "GL01": "the summary stands on the line of the opening quotes",
    "SS02": "a summary may begin with a symbol, which has its own case",
    "SS05": "the validator takes a plural noun for a verb: 'Logits of each row.' is a good summary",
    "SS06": "a summary of two lines beats one that leaves out what the thing does",
    "ES01": "a summary that says it all needs no extension",
    "EX01": "asked of estimators, by test_estimator_has_its_sections",
    "SA01": "asked of estimators, by test_estimator_has_its_sections",
    "RT02": "a result may be named, so that its description can speak of it",
    "RT03": "'ndarray of shape (n_samples,)' can be all there is to say",
}

# Records (dataclasses, named tuples) describe their fields as Attributes, which the validator does
# not count as parameters; test_fields_of_a_record_are_described does.
EXCLUDED_IN_RECORDS = {"PR01": "fields are described as Attributes"}

# Nor are these asked of the methods of losses, objectives and solver parts. Many classes implement
# the same few methods, whose arguments are described once, where the contract is stated.
EXCLUDED_IN_CONTRACT_METHODS = {
    "GL08": "an override without a docstring inherits the one of the contract",
    "PR01": "arguments are described where the contract is stated",
    "RT01": "results are described where the contract is stated",
    "YD01": "iterates are described where the contract is stated",
}

ESTIMATOR_SECTIONS = ("Parameters", "Attributes", "Examples", "References", "See Also")


def documented_objects():
    """Dotted path of every public class, function and method, each object once, and its waivers."""
    waivers, seen = {}, set()
    for public in public_objects():
        record = record_fields(public.obj)
        members = [("", public.obj, EXCLUDED | EXCLUDED_IN_RECORDS if record else EXCLUDED)]
        if inspect.isclass(public.obj):
            is_estimator = issubclass(public.obj, BaseEstimator)
            excluded = EXCLUDED if is_estimator else EXCLUDED | EXCLUDED_IN_CONTRACT_METHODS
            members += [(f".{name}", obj, excluded) for name, obj in public_methods(public)]
        for suffix, obj, excluded in members:
            if obj not in seen:
                seen.add(obj)
                waivers[public.path + suffix] = excluded
    return [pytest.param(path, waived, id=path) for path, waived in sorted(waivers.items())]


def record_fields(obj):
    """Names of the fields of a dataclass or a named tuple; none of anything else."""
    if dataclasses.is_dataclass(obj):
        return [field.name for field in dataclasses.fields(obj) if field.init]
    return list(getattr(obj, "_fields", ()))


@pytest.mark.parametrize(("path", "excluded"), documented_objects())
def test_docstring_follows_numpydoc(path, excluded):
    assert inspect.getdoc(pydoc.locate(path)), f"{path} has no docstring, nor one to inherit"
    errors = [
        f"{code}: {sentence}" for code, sentence in validate(path)["errors"] if code not in excluded
    ]
    assert not errors, f"{path}\n" + "\n".join(errors)


@pytest.mark.parametrize("public", [p for p in public_objects() if record_fields(p.obj)], ids=str)
def test_fields_of_a_record_are_described(public):
    doc = ClassDoc(public.obj)
    described = {entry.name for entry in doc["Parameters"] + doc["Attributes"] if entry.desc}
    missing = [name for name in record_fields(public.obj) if name not in described]
    assert not missing, f"{public}: no description of {missing}"


@pytest.mark.parametrize("estimator", all_estimators(), ids=lambda cls: cls.__name__)
def test_estimator_has_its_sections(estimator):
    doc = ClassDoc(estimator)
    missing = [section for section in ESTIMATOR_SECTIONS if not doc[section]]
    assert not missing, f"{estimator.__name__} has no section {missing}"


@pytest.mark.parametrize("estimator", all_estimators(), ids=lambda cls: cls.__name__)
def test_documented_attributes_are_public(estimator):
    names = [attribute.name for attribute in ClassDoc(estimator)["Attributes"]]
    assert all(name.endswith("_") and not name.startswith("_") for name in names), names
