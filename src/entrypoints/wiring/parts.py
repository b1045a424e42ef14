"""Parts of one's own, such as a payment gateway: found by a setting, loaded in bounded time, and checked.

A setting names a part as ``MODULE:ATTRIBUTE``, or by the name of an entry point that an installed package declares.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, iscoroutine, iscoroutinefunction, ismodule, isroutine, signature, unwrap
from threading import Thread
from typing import Any

from attrs import frozen

from ...application.redaction import cut, error_text
from ...domain.errors import InvalidInput
from ...domain.text import shown

LOAD_SECONDS = 10.0
"""The time that importing a module has, and that a factory has: a process starts, or says why it does not."""
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z", re.ASCII)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\Z", re.ASCII)
_MAX_ERROR = 500
"""Characters of a part's own error that ours quotes."""


@frozen(kw_only=True)
class PartKind:
    """A kind of part in a setting: ``shipped`` parts by name, entry points of ``group``, or ``MODULE:ATTRIBUTE``.

    ``setting`` and ``what`` are how errors call it. ``port`` is the Protocol that a part must have; ``form`` is how it
    is written otherwise than by a name.
    """

    setting: str
    what: str
    port: Any
    group: str
    shipped: Iterable[str] = ()
    form: str = "MODULE:ATTRIBUTE, such as mymodule:make_it"

    @property
    def known(self) -> tuple[str, ...]:
        """The names that exist here."""
        return (*self.shipped, *(name for name in sorted(_declared(self.group)) if name not in self.shipped))

    @property
    def allowed(self) -> str:
        """The values that the setting may have, in words."""
        named = f"{', '.join(self.known)}, or " if self.known else ""
        return f"{named}{self.form}; packages add names as entry points {self.group}"

    def refused(self, problem: str) -> InvalidInput:
        """Return the error for a part that cannot be used."""
        return InvalidInput(self.setting, problem, self.allowed)


def make_part(kind: PartKind, name: str) -> Any:
    """Return the part that ``name`` names.

    What is named is the part itself, or a class or function that makes it when called without arguments.
    Raises InvalidInput if it is not found, fails, takes longer than LOAD_SECONDS, or is no such part.
    """
    found = load(kind, name)
    if isinstance(found, type) or lacking(kind.port, found):
        if not callable(found):
            raise kind.refused(f"{name} is no {kind.what}: {lacking(kind.port, found)}")
        if problem := _call_problem(None, found):
            raise kind.refused(f"{name} makes no {kind.what}: it is called without arguments, and is {problem}")
        found = _in_time(kind, found, f"{name}()")
        if iscoroutine(found):
            found.close()
            raise kind.refused(f"{name} is an `async def`, and is called when no event loop runs")
    if problem := lacking(kind.port, found):
        raise kind.refused(f"{name} is no {kind.what}: {problem}")
    return found


def check_given(part: object, kind: PartKind, argument: str) -> object:
    """Return a part that an application gives as ``argument``. Raises InvalidInput, which says what it lacks."""
    if problem := lacking(kind.port, part):
        if isinstance(part, type):
            problem = f"{part.__name__} is a class; give an object of it"
        named = kind.setting.removeprefix("ORDERFLOW_").lower()
        allowed = f"an object with the methods of orderflow.{kind.port.__name__}; a name is given as {named}=..."
        raise InvalidInput(argument, f"it is no {kind.what}: {problem}", allowed)
    return part


def load(kind: PartKind, name: str) -> object:
    """Return what ``name`` names, imported. Raises InvalidInput as ``make_part`` does."""
    declared = _declared(kind.group)
    if name in declared:
        return _in_time(kind, declared[name].load, f"{name} ({declared[name].value})")
    if not _PATH.match(name):
        nearest = get_close_matches(name, kind.known, 1)
        if not nearest and _DOTTED.match(name):
            nearest = [":".join(name.rsplit(".", 1))]
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise kind.refused(f"{shown(name)} is no {kind.what}{hint}")
    module_name, _, path = name.partition(":")
    found: object = _in_time(kind, lambda: import_module(module_name), module_name)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            named = [name for name, value in getattr(found, "__dict__", {}).items() if not ismodule(value)]
            nearest = get_close_matches(attribute, named, 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise kind.refused(f"{shown(name)} is not there: {module_name} has no {attribute}{hint}")
        found = getattr(found, attribute)
    return found


def lacking(port: Any, candidate: object) -> str:
    """Return what ``candidate`` lacks of ``port``, in words; empty if it has everything.

    Compared are names, what is awaited, and whether each method can be called as the port's is.
    """
    for name, member in _members(port).items():
        if not hasattr(candidate, name):
            return f"{type(candidate).__name__} has no {name}"
        if not callable(member):
            continue
        found = candidate if name == "__call__" else getattr(candidate, name)
        if not callable(found):
            return f"its {name} cannot be called"
        if iscoroutinefunction(unwrap(found)) and not iscoroutinefunction(member):
            return f"its {name} is a coroutine function (`async def` without `yield`), which is not awaited"
        if iscoroutinefunction(member) and isroutine(found) and not iscoroutinefunction(unwrap(found)):
            return f"its {name} is not `async def`"
        if problem := _call_problem(member, found):
            return f"its {name} cannot be called as {port.__name__}'s is: {problem}"
    return ""


def _members(port: Any) -> Mapping[str, object]:
    """Return the members that a Protocol declares, also in its bases."""
    return {
        name: value
        for base in reversed(port.__mro__)
        if getattr(base, "_is_protocol", False) and base.__module__ != "typing"
        for name, value in vars(base).items()
        if name == "__call__" or (not name.startswith("_") and (callable(value) or isinstance(value, property)))
    }


def _call_problem(member: Any, found: Any) -> str:
    """Return why ``found`` cannot be called as the method ``member`` of a port is; for None, without arguments."""
    positional: list[None] = []
    named: dict[str, None] = {}
    for parameter in list(signature(member).parameters.values())[1:] if member else ():
        if parameter.kind is Parameter.KEYWORD_ONLY and parameter.default is Parameter.empty:
            named[parameter.name] = None
        elif parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and parameter.default is Parameter.empty:
            positional.append(None)
    try:
        signature(found).bind(*positional, **named)
    except TypeError as error:
        return str(error)
    except ValueError:  # it has no signature, as some functions in C
        return ""
    return ""


@cache
def _declared(group: str) -> Mapping[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=group)}


def _in_time(kind: PartKind, make: Callable[[], object], name: str) -> object:
    """Return what ``make`` returns, on a thread of its own, which is left behind if it takes too long."""
    outcome: list[object] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(make())
        except BaseException as error:  # noqa: BLE001 - also SystemExit, which a thread would swallow
            failure.append(error)

    thread = Thread(target=run, name="own-part", daemon=True)
    thread.start()
    thread.join(LOAD_SECONDS)
    if failure and isinstance(failure[0], InvalidInput):  # of our own decorator
        raise InvalidInput(kind.setting, f"{name}: {failure[0].problem}", failure[0].allowed) from failure[0]
    if failure:
        raise kind.refused(_failed(name, failure[0])) from failure[0]
    if not outcome:
        raise kind.refused(f"{name} did not return within {LOAD_SECONDS:g} s")
    return outcome[0]


def _failed(name: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and (name == error.name or name.startswith(error.name)):
        return f"there is no module {error.name} in the current directory, in PYTHONPATH, or installed"
    return f"{name} fails: {cut(f'{type(error).__name__}: {error_text(error)}', _MAX_ERROR)}"
