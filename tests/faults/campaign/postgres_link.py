"""A link to PostgreSQL that can keep back the answer to a COMMIT, and then break off.

The writer commits with one statement, which is a transaction by itself
(``adapters/sql/commit/write_postgresql.py``): its answer is the acknowledgement. https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from collections.abc import Iterator

from attrs import define, field

from .proxy import Link, Pair, Way

WRITES = b"INSERT INTO order_events"
READY_AFTER_COMMIT = b"Z\x00\x00\x00\x05I"
"""ReadyForQuery, outside of any transaction."""


@define(eq=False)
class PostgresPair(Pair):
    """``writes`` are the names of prepared statements that commit; ``held`` is the answer that is kept back."""

    writes: set[bytes] = field(factory=set, init=False)
    held: bytearray | None = field(default=None, init=False)


@define(eq=False)
class PostgresLink(Link):
    """``acknowledgements`` counts the answers to a COMMIT that were dropped: it was done, and no client knows."""

    acknowledgements: int = field(default=0, init=False)
    _armed: int = field(default=0, init=False)

    def pair(self) -> PostgresPair:
        return PostgresPair(self)

    def swallow_next(self) -> None:
        """The answer to the next COMMIT never arrives."""
        self._armed += 1

    def passes(self, pair: Pair, way: Way, data: bytes) -> bytes | None:
        passed = Link.passes(self, pair, way, data)
        if passed is None or not isinstance(pair, PostgresPair):
            return passed
        if way is Way.UP:
            self._asked(pair, data)
            return data
        return data if pair.held is None else self._answered(pair, data)

    def _asked(self, pair: PostgresPair, data: bytes) -> None:
        """Note the writes in ``data``. As asyncpg waits for each answer, a request begins where ``data`` begins."""
        if data[:1] == b"P":
            name, _, rest = data[5:].partition(b"\x00")
            (pair.writes.add if WRITES in rest else pair.writes.discard)(name)
        elif data[:1] == b"B" and self._armed and pair.held is None:
            _, _, rest = data[5:].partition(b"\x00")
            if rest.partition(b"\x00")[0] in pair.writes:
                self._armed -= 1
                pair.held = bytearray()

    def _answered(self, pair: PostgresPair, data: bytes) -> bytes | None:
        assert pair.held is not None
        pair.held += data
        if not pair.held.endswith(READY_AFTER_COMMIT):
            return None
        answer, pair.held = bytes(pair.held), None
        if not _committed(answer):
            self._armed += 1
            return answer
        self.acknowledgements += 1
        pair.break_off()
        return None


def _committed(answer: bytes) -> bool:
    """Return whether ``answer`` confirms a complete write: one row with one column, which is NULL, and no error."""
    kinds = dict(_messages(answer))
    return b"E" not in kinds and kinds.get(b"D") == b"\x00\x01\xff\xff\xff\xff"


def _messages(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(answer):
        length = int.from_bytes(answer[at + 1 : at + 5], "big")
        yield answer[at : at + 1], answer[at + 5 : at + 1 + length]
        at += 1 + length
