"""The headers of a record as a struct: the published contract, and what ``headers.py`` checks each header by."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ....application.event_log.records import BUCKETS
from ....application.recovery.epochs import MAX_EPOCH
from ..envelope import EventType
from ..fields import Identifier, Time

MAX_TEXT = 200
MAX_DIGITS = 18


def _number(pattern: str, description: str) -> Meta:
    return Meta(pattern=rf"^0*{pattern}\Z", max_length=MAX_DIGITS, description=description)


_Bucket = Annotated[
    str,
    _number("(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[0-9]{1,2})", f"a whole number of 0 to {BUCKETS - 1}, in decimal digits"),
]
_Position = Annotated[
    str, _number("[1-9][0-9]*", f"a whole number of 1 or more, in at most {MAX_DIGITS} decimal digits")
]
_Sequence = Annotated[str, _number("[1-9][0-9]{0,8}", "a whole number of 1 or more, below 10^9, in decimal digits")]
_Epoch = Annotated[str, _number("[1-9][0-9]{0,5}", f"a whole number of 1 to {MAX_EPOCH}, in decimal digits")]
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
_REFERENCE = f"a URI reference of at most {MAX_TEXT} characters, without control characters"
_Reference = Annotated[str, Meta(pattern=_PRINTABLE, min_length=1, max_length=MAX_TEXT, description=_REFERENCE)]
_TEXT = f"text in UTF-8 of at most {MAX_TEXT} characters, without control characters, or absent"
_Text = Annotated[str, Meta(pattern=_PRINTABLE, max_length=MAX_TEXT, description=_TEXT)]


class RecordHeaders(Struct, frozen=True, kw_only=True):
    """Text in UTF-8: CloudEvents attributes in binary mode, the event's address in the log, and the trace."""

    ce_specversion: Annotated[Literal["1.0"], Meta(title="the version of CloudEvents")]
    ce_id: Annotated[Identifier, Meta(title="the event's id, the same as in the body")]
    ce_source: Annotated[_Reference, Meta(title="the service that produced the event")]
    ce_type: Annotated[EventType, Meta(title="the type, the same as in the body")]
    ce_subject: Annotated[Identifier, Meta(title="the order's id, the same as in the body and the key")]
    ce_time: Annotated[Time, Meta(title="the time of the event, the same as in the body")]
    content_type: Annotated[Literal["application/json"], Meta(title="the media type of the value")] = field(
        name="content-type"
    )
    bucket: Annotated[_Bucket, Meta(title="the bucket of the log that contains the order")]
    position: Annotated[_Position, Meta(title="the event's number within its bucket, dense from 1")]
    sequence: Annotated[_Sequence, Meta(title="the event's number within its order, dense from 1")]
    epoch: Annotated[_Epoch, Meta(title="the log's epoch; 1 if absent")] | UnsetType = UNSET
    correlation_id: Annotated[_Text, Meta(title="the id of the request that caused the event")] | UnsetType = field(
        name="correlation-id", default=UNSET
    )
    traceparent: Annotated[_Text, Meta(title="W3C trace context")] | UnsetType = UNSET
