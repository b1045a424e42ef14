"""The headers of a record as a shape, for the published contract. ``headers.py`` writes and reads them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..envelope import EventType
from ..fields import Identifier, Time

NUMBER = "a whole number of 0 or more, in decimal digits"
POSITIVE = "a whole number of 1 or more, in decimal digits"

_Number = Annotated[str, Meta(pattern=r"^[0-9]{1,18}\Z", description=NUMBER)]
_Positive = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]*\Z", max_length=18, description=POSITIVE)]
_Reference = Annotated[str, Meta(min_length=1, description="a URI reference")]
_Text = Annotated[str, Meta(description="text in UTF-8, or no such header")]


class RecordHeaders(Struct, frozen=True, kw_only=True):
    """All are text in UTF-8: CloudEvents in binary mode, the event's address in the log, and the trace."""

    ce_specversion: Annotated[Literal["1.0"], Meta(title="these are CloudEvents in binary mode")]
    ce_id: Annotated[Identifier, Meta(title="the event's id, as in the body")]
    ce_source: Annotated[_Reference, Meta(title="the service that produced it")]
    ce_type: Annotated[EventType, Meta(title="the type, as in the body")]
    ce_subject: Annotated[Identifier, Meta(title="the order's id, as in the body and the key")]
    ce_time: Annotated[Time, Meta(title="when it happened, as in the body")]
    content_type: Annotated[Literal["application/json"], Meta(title="what the value is")] = field(name="content-type")
    bucket: Annotated[_Number, Meta(title="which of the log's buckets the order is in")]
    position: Annotated[_Positive, Meta(title="the event's number within its bucket, dense from 1")]
    sequence: Annotated[_Positive, Meta(title="the event's number within its order, dense from 1")]
    epoch: Annotated[_Positive, Meta(title="the log's epoch; a record without it is of the first")] | UnsetType = UNSET
    correlation_id: Annotated[_Text, Meta(title="what the caller named its request")] | UnsetType = field(
        name="correlation-id", default=UNSET
    )
    traceparent: Annotated[_Text, Meta(title="W3C trace context")] | UnsetType = UNSET
