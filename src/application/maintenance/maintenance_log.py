"""Entries of the maintenance log: one for each manual change."""

from enum import StrEnum

from attrs import frozen

from ..operator_note import OperatorNote


class MaintenanceKind(StrEnum):
    SHARE = "share"
    """The publishing share was set."""
    PAUSE = "pause"
    RESUME = "resume"
    REPLAY = "replay"
    """A replay was started."""
    REBUILD = "rebuild"
    """A rebuild was started."""
    SWAP = "swap"
    """The rebuilt data replaced the data in use."""
    EPOCH = "epoch"
    """A new epoch of the log was begun."""
    RESEND = "resend"
    """Notifications or webhook deliveries were made due again."""
    DROP = "drop"
    """Notifications were dropped."""
    REFUND = "refund"
    """A refund that the gateway had declined was paid back in another way."""
    SKIP = "skip"
    """A record of the topic was skipped."""
    ERASE = "erase"
    """A customer was erased."""
    WEBHOOK = "webhook"
    """A webhook endpoint was changed."""


ROLLOUT = (MaintenanceKind.SHARE, MaintenanceKind.PAUSE, MaintenanceKind.RESUME)
"""The kinds that change the rollout."""


@frozen(kw_only=True)
class MaintenanceEntry:
    """One manual change. ``before`` and ``after`` are the percentages of a share, or the numbers of two epochs.

    ``detail`` is the range of a replay, the outcome of a rebuild, or the location of a skipped record.
    """

    kind: MaintenanceKind
    note: OperatorNote
    consumer: str | None = None
    before: int | None = None
    after: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        if self.kind is MaintenanceKind.SHARE:
            return f"publishing {self.before} % -> {self.after} %"
        if self.kind is MaintenanceKind.EPOCH:
            return f"epoch {self.before} -> {self.after}"
        if self.kind in ROLLOUT:
            return f"{self.consumer} {self.kind}d"
        return self.detail
