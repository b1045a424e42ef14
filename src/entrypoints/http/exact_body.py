"""Decodes JSON bodies from their bytes. Litestar itself would decode amounts to floats."""

from collections.abc import Generator
from typing import Any, TypeVar

from litestar.dto import AbstractDTO
from litestar.typing import FieldDefinition

from .body_fields import Body
from .read_body import read_body

B = TypeVar("B", bound=Body)


class ExactBody(AbstractDTO[B]):
    """A DTO such as ``ExactBody[PlaceOrder]``, with which a handler's ``data`` is decoded by ``read_body``."""

    def decode_bytes(self, value: bytes) -> B:
        return read_body(value, self.model_type)

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, *_: Any, **__: Any) -> None:
        """Do nothing: no preparation is needed."""

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Any:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[Any, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False
