"""Routes that export and erase what is kept of a customer, for admins with a token to operate."""

from typing import Annotated, Any
from urllib.parse import unquote

from attrs import frozen
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from ...application.customers.erase_customer import EraseCustomer, ErasedCustomer
from ...application.customers.export_customer import CustomerExport, ExportCustomer
from ...domain.actor import Actor, Role
from .bodies import EraseCustomerBody
from .exact_body import ExactBody
from .openapi import problems
from .parameters import query
from .reads import json_response
from .role_guard import for_roles


@frozen
class Customers:
    """The use-cases of the routes, as one named dependency."""

    erase: EraseCustomer
    export: ExportCustomer


admins_only = for_roles(Role.ADMIN, refused="may not see or erase what is kept of a customer; only admins may")
"""Refuses other callers, whether there is such a customer or not."""


@get(
    "/{customer_id:str}/export",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="exportCustomer",
    summary="Export what is kept of a customer",
)
async def export_customer(
    customers: NamedDependency[Customers],
    customer_id: FromPath[str],
    cursor: Annotated[str | None, query("cursor", "nextCursor of the previous page")] = None,
) -> Response[CustomerExport]:
    """Return contact, tokens, orders and what was sent, in pages by orders, newest first."""
    return json_response(await customers.export(unquote(customer_id), cursor=cursor))


@post(
    "/{customer_id:str}/erase",
    status_code=200,
    dto=ExactBody[EraseCustomerBody],
    return_dto=None,
    responses=problems(400, 401, 403, 409, 413, 415, 500, 503),
    operation_id="eraseCustomer",
    summary="Erase what is kept of a customer",
)
async def erase_customer(
    request: Request[Actor, Any, Any],
    customers: NamedDependency[Customers],
    customer_id: FromPath[str],
    data: JSONBody[EraseCustomerBody],
) -> Response[ErasedCustomer]:
    """Erase contact, addresses, card tokens and what was sent. Orders, amounts and events stay."""
    return json_response(await customers.erase(unquote(customer_id), by=str(request.user), reason=data.reason))


ROUTES = [export_customer, erase_customer]
