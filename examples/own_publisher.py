"""An event publisher of your own: after the commit, each event becomes a line of a file: its sequence and its JSON.

    async with OrderFlow.open("sqlite:///shop.db", publisher=FilePublishing("events.jsonl").publisher) as flow: ...

It promises little: after a crash between the commit and the write, the events are in the log alone. What must arrive is
better sent by a consumer (own_handlers.py), which goes on where it was.
"""

import asyncio
from pathlib import Path

from attrs import frozen
from orderflow import OrderEvent, WriteSet
from orderflow.adapters import wire


class FilePublishing:
    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)

    def publisher(self, writes: WriteSet) -> "FilePublisher":
        """Make the publisher of one unit of work."""
        return FilePublisher(self.file, writes)


@frozen
class FilePublisher:
    file: Path
    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        if events and not self.writes.events:
            self.writes.after_commit.append(self._append)
        self.writes.events.extend(events)  # so that they are stored with the order as well

    async def _append(self) -> None:
        lines = b"".join(b"%d %s\n" % (event.sequence, wire.encode(event)) for event in self.writes.events)
        await asyncio.to_thread(self._write, lines)

    def _write(self, lines: bytes) -> None:
        with self.file.open("ab", buffering=0) as file:
            file.write(lines)
