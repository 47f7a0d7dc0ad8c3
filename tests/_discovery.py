"""What skkd makes public, found by looking, so that no name escapes the suites that use this."""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass

from sklearn.base import BaseEstimator

import skkd


@dataclass(frozen=True)
class PublicObject:
    """One public name: where it is found and what it is."""

    module: str
    name: str
    obj: object

    @property
    def path(self):
        return f"{self.module}.{self.name}"

    def __str__(self):
        return self.path


def public_modules():
    """Names of the submodules without a leading underscore, at any depth, sorted."""
    found = pkgutil.walk_packages(skkd.__path__, prefix="skkd.")
    return sorted(info.name for info in found if not _is_private(info.name))


def public_objects():
    """Every class and function that some public module lists in its ``__all__``."""
    objects = []
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            obj = getattr(module, name)
            if inspect.isclass(obj) or inspect.isroutine(obj):
                objects.append(PublicObject(module_name, name, obj))
    return objects


def public_methods(public):
    """``(name, function)`` of the public methods and properties that skkd itself defines."""
    methods = []
    for name, member in inspect.getmembers(public.obj):
        function = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not callable(function):
            continue
        if (getattr(function, "__module__", None) or "").split(".")[0] == "skkd":
            methods.append((name, function))
    return methods


def all_estimators():
    """Every public estimator class, sorted by name, each once."""
    classes = {
        public.obj
        for public in public_objects()
        if inspect.isclass(public.obj) and issubclass(public.obj, BaseEstimator)
    }
    return sorted(classes, key=lambda cls: cls.__name__)


def _is_private(dotted):
    return any(part.startswith("_") for part in dotted.split("."))
