"""The base of request bodies, and the documentation of their fields."""

from msgspec import Meta, Struct

from ...domain.money import MAX_AMOUNT
from ...domain.text import MAX_IDENTIFIER

IDENTIFIER = rf"^[!-~]{{1,{MAX_IDENTIFIER}}}$"


def documented(description: str, *examples: object, **schema: object) -> Meta:
    """Document a field. The domain validates it, with better messages than those of a pattern."""
    return Meta(description=description, examples=list(examples) or None, extra_json_schema=schema)


def id_field(subject: str, example: str) -> Meta:
    allowed = f"1 to {MAX_IDENTIFIER} printable ASCII characters without spaces"
    return documented(f"{subject}: {allowed}", example, pattern=IDENTIFIER)


def text_field(subject: str, example: str, at_most: int, at_least: int = 0) -> Meta:
    allowed = f"{at_least} to {at_most} characters, without control characters"
    return documented(f"{subject}: {allowed}", example, minLength=at_least, maxLength=at_most)


def amount_field(subject: str, example: float) -> Meta:
    allowed = "0 or more, with at most the decimals of the currency"
    return documented(f"{subject}: {allowed}", example, minimum=0, exclusiveMaximum=int(MAX_AMOUNT))


class Body(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A JSON object without unknown fields."""
