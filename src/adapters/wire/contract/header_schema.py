"""The headers of a record as a struct, for the published contract. ``headers.py`` writes and reads them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ....application.event_log.records import BUCKETS
from ....application.recovery.epochs import MAX_EPOCH
from ..envelope import EventType
from ..fields import Identifier, Time

MAX_TEXT = 200
BUCKET = f"a whole number of 0 to {BUCKETS - 1}, in decimal digits"
POSITION = "a whole number of 1 or more, in at most 18 decimal digits"
SEQUENCE = "a whole number of 1 or more, below 10^9, in decimal digits"
EPOCH = f"a whole number of 1 to {MAX_EPOCH}, in decimal digits"
TEXT = f"text in UTF-8 of at most {MAX_TEXT} characters, without control characters, or absent"

_DIGITS = 18
_Bucket = Annotated[
    str, Meta(pattern=r"^0*(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[0-9]{1,2})\Z", max_length=_DIGITS, description=BUCKET)
]
_Position = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]*\Z", max_length=_DIGITS, description=POSITION)]
_Sequence = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]{0,8}\Z", max_length=_DIGITS, description=SEQUENCE)]
_Epoch = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]{0,5}\Z", max_length=_DIGITS, description=EPOCH)]
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
_Reference = Annotated[str, Meta(pattern=_PRINTABLE, min_length=1, max_length=MAX_TEXT, description="a URI reference")]
_Text = Annotated[str, Meta(pattern=_PRINTABLE, max_length=MAX_TEXT, description=TEXT)]


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
