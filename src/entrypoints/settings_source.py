"""All settings, read from a TOML file and from the environment, which overrides the file.

A setting ``database_url`` is ``ORDERFLOW_DATABASE_URL`` in the environment and ``database_url`` in the table
``[orderflow]`` of the file that ``ORDERFLOW_SETTINGS`` or ``--settings`` names. ``ORDERFLOW_KAFKA_*`` names without a
setting of their own are librdkafka properties with underscores for dots (``ORDERFLOW_KAFKA_SECURITY_PROTOCOL``); in
the file they are in the table ``[orderflow.kafka]``.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import fields
from typed_settings.converters import TSConverter

from ..domain.errors import InvalidInput
from ..domain.text import shown
from .gone_directory import directory_asked_for
from .secret_settings import MASK, masked_url
from .settings import SECRETS, Settings

PREFIX = "ORDERFLOW_"
SECTION = "orderflow"
FILE_VARIABLE = f"{PREFIX}SETTINGS"
KAFKA_PREFIX = f"{PREFIX}KAFKA_"
_NO_PROPERTIES = ("kafka_bootstrap_servers",)
"""Settings that a name may mean which is no property: without its servers, Kafka would not be used at all."""
MAX_CHARACTERS = 1_000_000
"""Characters of a file of settings: one that does not end, such as a device, is refused."""
MAX_SHOWN = 200
"""Characters of a name or value that an error shows."""
_NOT_ALLOWED = (ValueError, TypeError, AttributeError, ArithmeticError)
"""Raised by converters and validators."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and bytes of the environment that are no text."""
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+\Z")
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?\Z")


def load_settings(
    file: Path | None = None, *, environment: Mapping[str, str] | None = None, **given: object
) -> Settings:
    """Read the settings from file and environment; ``given`` overrides both.

    Raises InvalidInput for an unknown name or a value that is not allowed. It names the source and the allowed values.
    """
    environment = os.environ if environment is None else environment
    path = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    names = {a.name: a for a in fields(Settings)}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    kafka: dict[str, str] = {}
    for name, value in _from_file(path).items():
        where = f"{name[:MAX_SHOWN]} in {path}"
        if name == "kafka" and isinstance(value, dict):
            kafka |= {key: str(v) for key, v in _flat(value)}
        elif name not in names:
            raise InvalidInput(where, _no_such(name, names), ", ".join(names))
        else:
            values[name], sources[name] = value, where
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or variable.startswith(f"{PREFIX}TEST_"):
            continue
        if name in names and name != "kafka":
            values[name] = () if value == "" and names[name].default == () else value  # a list with nothing in it
            sources[name] = variable
        elif variable.startswith(KAFKA_PREFIX) and not get_close_matches(name, _NO_PROPERTIES, cutoff=0.8):
            kafka[variable.removeprefix(KAFKA_PREFIX).lower().replace("_", ".")] = value
        else:
            variables = [PREFIX + n.upper() for n in names if n != "kafka"]
            raise InvalidInput(variable[:MAX_SHOWN], _no_such(variable, variables), ", ".join(variables))
    for name in given:
        if name not in names:
            raise InvalidInput(name, _no_such(name, names), ", ".join(names))
    values |= given
    sources |= {name: name for name in given}
    return _converted(values | ({"kafka": kafka} if kafka else {}), sources)


def _no_such(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name[:MAX_SHOWN], known, 1)
    return "there is no such setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MAX_CHARACTERS + 1)
        if len(text) > MAX_CHARACTERS:
            raise InvalidInput(str(path), f"has more than {MAX_CHARACTERS} characters", "a TOML file of settings")
        content = tomllib.loads(text)
    except OSError as e:
        raise InvalidInput(str(path), f"cannot be read: {e.strerror}", "a readable TOML file") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InvalidInput(str(path), f"is not TOML: {e}", f"a TOML file with a table [{SECTION}]") from e
    except ValueError as e:
        raise InvalidInput(shown(str(path)), "is no path of a file", "a readable TOML file") from e
    except RecursionError as e:
        problem = "is not TOML: it is nested too deeply"
        raise InvalidInput(str(path), problem, f"a TOML file with a table [{SECTION}]") from e
    if SECTION not in content:
        names = [f"[{name[:MAX_SHOWN]}]" if isinstance(it, dict) else name[:MAX_SHOWN] for name, it in content.items()]
        found = ", ".join([*names[:10], *(["..."] if names[10:] else [])]) or "nothing"
        raise InvalidInput(str(path), f"has no table [{SECTION}], but {found}", f"settings in a table [{SECTION}]")
    section = content[SECTION]
    if not isinstance(section, dict):
        raise InvalidInput(f"{SECTION} in {path}", "is not a table", f"a table [{SECTION}]")
    return section


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``[orderflow.kafka] security.protocol = ...`` nests in TOML; here it is one dotted name again."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return found


def _converted(values: dict[str, Any], sources: Mapping[str, str]) -> Settings:
    for name, value in values.items():
        if not _is_of_kind(getattr(fields(Settings), name).type, value):
            raise _not_allowed(name, value, sources)
    try:
        return _load(values)
    except _NOT_ALLOWED:
        for name, value in values.items():
            try:
                _load({name: value})
            except _NOT_ALLOWED:
                raise _not_allowed(name, value, sources) from None  # a traceback would show the value
        raise


def _is_of_kind(kind: object, value: object) -> bool:
    """Return False for what would be converted silently: 80.5 and true to an integer, and a number to text.

    Text with control characters is none either: no file, address or header can have them.
    """
    if kind is str:
        return isinstance(value, str) and _CONTROL.search(value) is None
    if kind not in (int, float):
        return True
    if isinstance(value, str):
        return (_WHOLE_NUMBER if kind is int else _NUMBER).match(value.strip()) is not None
    return type(value) is int or (kind is float and type(value) is float)


def _not_allowed(name: str, value: object, sources: Mapping[str, str]) -> InvalidInput:
    help_text = getattr(fields(Settings), name).metadata["typed-settings"]["help"]
    has_control = isinstance(value, str) and _CONTROL.search(value) is not None
    problem = f"{_shown(name, value)} {'has a control character' if has_control else 'is not allowed'}"
    return InvalidInput(sources.get(name, name), problem, help_text)


def _load(values: dict[str, Any]) -> Settings:
    """Convert the values; typed_settings' own loading reads and parses the source of Settings each time."""
    with directory_asked_for():
        converter = TSConverter(strlist_sep=",")
        return Settings(
            **{name: converter.structure(it, getattr(fields(Settings), name).type) for name, it in values.items()}
        )


def _shown(name: str, value: object) -> str:
    if name in (*SECRETS, "kafka"):
        return MASK
    return shown(masked_url(value[:MAX_SHOWN]) if isinstance(value, str) else value)
