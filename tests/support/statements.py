"""The statements that a database is given while a test looks."""

from types import TracebackType
from typing import Any, Self

from attrs import define, field
from orderflow.adapters.sql.database import Database
from sqlalchemy import event


@define
class Statements:
    """Collects the texts of all statements within the block, also of those that bypass SQLAlchemy, and their values."""

    database: Database
    texts: list[str] = field(factory=list, init=False)
    values: list[Any] = field(factory=list, init=False)

    def __enter__(self) -> Self:
        for engine in self.database.engines:
            event.listen(engine, "before_cursor_execute", self._executed)
        self.database.watch = self._fetched
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in self.database.engines:
            event.remove(engine, "before_cursor_execute", self._executed)
        self.database.watch = lambda *_: None

    def _executed(self, _: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        self.texts.append(statement)
        self.values.append(values)

    def _fetched(self, statement: str, *_: Any) -> None:
        self.texts.append(statement)
        self.values.append(None)
