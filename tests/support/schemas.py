"""The schema of a database as its writers see it, and a check that a later schema accepts what they write."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, inspect, text

_TRIGGERS = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": (
        "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal "
        "ORDER BY tgname"
    ),
}
ADDING = {"add_column", "bulk_insert", "create_index", "create_table", "execute", "get_bind"}
"""Alembic's operations that a migration may use."""


@frozen
class Table:
    """``rules`` are what may refuse a row: keys, uniqueness, checks, references, triggers."""

    columns: Mapping[str, Mapping[str, Any]]
    rules: frozenset[str]
    indexes: frozenset[str]


Schema = Mapping[str, Table]


def schema_of(connection: Connection) -> Schema:
    look = inspect(connection)
    triggers = [tuple(row) for row in connection.execute(text(_TRIGGERS[connection.dialect.name]))]
    columns, primary_keys = look.get_multi_columns(), look.get_multi_pk_constraint()
    unique, indexes = look.get_multi_unique_constraints(), look.get_multi_indexes()
    checks, references = look.get_multi_check_constraints(), look.get_multi_foreign_keys()
    schema = {}
    for key, its_columns in columns.items():
        name = key[1]
        rules = {f"primary key {primary_keys[key]['constrained_columns']}"}
        rules |= {f"unique {each['column_names']}" for each in unique[key]}
        rules |= {f"unique {each['column_names']}" for each in indexes[key] if each["unique"]}
        rules |= {f"check {each['sqltext']}" for each in checks[key]}
        rules |= {f"references {each['referred_table']}" for each in references[key]}
        rules |= {f"trigger {trigger}" for table, _, trigger in triggers if table == name}
        described = {
            column["name"]: {"type": str(column["type"]), "nullable": column["nullable"], "default": column["default"]}
            for column in its_columns
        }
        schema[name] = Table(described, frozenset(rules), frozenset(str(each["name"]) for each in indexes[key]))
    return schema


def broken(before: Schema, after: Schema) -> Iterator[str]:
    """Yield each change in ``after`` that breaks or blocks a program which knows only ``before``."""
    for name, table in before.items():
        if name not in after:
            yield f"{name} is gone"
            continue
        now = after[name]
        for column, was in table.columns.items():
            if now.columns.get(column) != was:
                yield f"{name}.{column} was {was}, is {now.columns.get(column, 'gone')}"
        for column in now.columns.keys() - table.columns.keys():
            added = now.columns[column]
            if not added["nullable"] and added["default"] is None:
                yield f"{name}.{column} is demanded of those who do not know it"
        yield from (f"{name}: {rule} is new" for rule in sorted(now.rules - table.rules))
        yield from (f"{name}: {rule} is gone" for rule in sorted(table.rules - now.rules))
        yield from (
            f"{name}: {index} stops its writers while it is built" for index in sorted(now.indexes - table.indexes)
        )
        yield from (f"{name}: {index} is gone" for index in sorted(table.indexes - now.indexes))


def taking_away(migration: Path) -> Iterator[str]:
    """Yield what the upgrade of ``migration`` does except adding: other operations, or statements that are not DDL.

    It may fill a table that it has created.
    """
    tree = ast.parse(migration.read_text(encoding="utf-8"))
    functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name != "downgrade"]
    filled = tuple(f"INSERT INTO {table} " for table in _created(tree))
    for call in (node for each in functions for node in ast.walk(each) if isinstance(node, ast.Call)):
        called = call.func
        if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "op"):
            continue
        if called.attr not in ADDING:
            yield f"{migration.name}:{call.lineno}: op.{called.attr}"
        elif called.attr == "execute" and not _statement(call).startswith(("ALTER ", "CREATE ", *filled)):
            yield f"{migration.name}:{call.lineno}: {_statement(call)[:60]}"


def _created(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "create_table":
            [name, *_] = node.args
            if isinstance(name, ast.Constant):
                yield str(name.value)


def _statement(call: ast.Call) -> str:
    """Return the executed statement, or its source if it is not a literal."""
    said = call.args[0]
    return said.value.strip() if isinstance(said, ast.Constant) and isinstance(said.value, str) else ast.unparse(said)
