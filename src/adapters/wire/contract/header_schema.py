"""The headers of a record as a struct, for the published contract. ``headers.py`` writes and reads them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..envelope import EventType
from ..fields import Identifier, Time

NUMBER = "a whole number of 0 or more, in decimal digits"
POSITIVE = "a whole number of 1 or more, in decimal digits"
TEXT = "text in UTF-8, or absent"

_Number = Annotated[str, Meta(pattern=r"^[0-9]{1,18}\Z", description=NUMBER)]
_Positive = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]*\Z", max_length=18, description=POSITIVE)]
_Reference = Annotated[str, Meta(min_length=1, description="a URI reference")]
_Text = Annotated[str, Meta(description=TEXT)]


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
    bucket: Annotated[_Number, Meta(title="the bucket of the log that contains the order")]
    position: Annotated[_Positive, Meta(title="the event's number within its bucket, dense from 1")]
    sequence: Annotated[_Positive, Meta(title="the event's number within its order, dense from 1")]
    epoch: Annotated[_Positive, Meta(title="the log's epoch; 1 if absent")] | UnsetType = UNSET
    correlation_id: Annotated[_Text, Meta(title="the id of the request that caused the event")] | UnsetType = field(
        name="correlation-id", default=UNSET
    )
    traceparent: Annotated[_Text, Meta(title="W3C trace context")] | UnsetType = UNSET
