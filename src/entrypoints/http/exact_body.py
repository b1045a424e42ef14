"""Litestar decodes JSON bodies through floats; here they are decoded once, from the bytes that came."""

from collections.abc import Generator
from typing import Any, TypeVar

from litestar.dto import AbstractDTO
from litestar.typing import FieldDefinition

from .bodies import Body, read

B = TypeVar("B", bound=Body)


class ExactBody(AbstractDTO[B]):
    """``dto=ExactBody[PlaceOrder]``: the handler's ``data`` is ``bodies.read`` of the request's bytes."""

    def decode_bytes(self, value: bytes) -> B:
        return read(value, self.model_type)

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, *_: Any, **__: Any) -> None:
        """There is nothing to prepare."""

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Any:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[Any, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False
