"""Routes of the prices of a restaurant: for itself and admins; customers may read them."""

from functools import partial
from typing import Annotated, Any
from urllib.parse import unquote

from attrs import frozen
from litestar import Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from ...application.prices.price_view import PriceChangeView, PriceListView, change_view, list_view
from ...application.prices.use_cases import PriceUseCases
from ...domain.actor import Actor
from ...domain.text import identifier
from .etag import etag, expected_version, not_modified
from .exact_body import ExactBody
from .openapi import LIST_ETAG, NOT_MODIFIED, problems
from .parameters import header
from .price_bodies import PriceBody, ReplacePrices
from .reads import PRIVATE, json_response
from .views import render

IfMatch = Annotated[str | None, header("If-Match", 'the ETag of the list that was decided upon, such as "3", or *')]
IfNoneMatch = Annotated[str | None, header("If-None-Match", "the ETag of a version that the caller has")]
REFUSALS = problems(400, 401, 403, 404, 412, 413, 415, 500, 503)


@frozen
class Prices:
    """The use-cases of the routes, and the currency of prices that name none."""

    use_cases: PriceUseCases
    currency: str


@get(
    "/{restaurant_id:str}/prices",
    response_headers=[LIST_ETAG],
    responses=NOT_MODIFIED | problems(400, 401, 403, 500, 503),
    operation_id="listPrices",
    summary="List the prices of a restaurant",
)
async def list_prices(
    request: Request[Actor, Any, Any],
    prices: NamedDependency[Prices],
    restaurant_id: FromPath[str],
    if_none_match: IfNoneMatch = None,
) -> Response[PriceListView]:
    """Return all prices, by item; none, at version 0, if the restaurant never had any."""
    found = await prices.use_cases.read(unquote(restaurant_id), by=request.user)
    headers = {**PRIVATE, "ETag": etag(found.version)}
    if not_modified(if_none_match, found.version):
        return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]
    async with request.app.state["api"].list_turns:
        return json_response(list_view(found), headers)


_put = partial(put, return_dto=None, response_headers=[LIST_ETAG], responses=REFUSALS)
"""A route that changes prices."""


@_put(
    "/{restaurant_id:str}/prices",
    dto=ExactBody[ReplacePrices],
    operation_id="replacePrices",
    summary="Replace all prices of a restaurant",
)
async def replace_prices(
    request: Request[Actor, Any, Any],
    prices: NamedDependency[Prices],
    restaurant_id: FromPath[str],
    data: JSONBody[ReplacePrices],
    if_match: IfMatch = None,
) -> Response[PriceChangeView]:
    """Store all of them, or none if one is not allowed; each such is named."""
    done = await prices.use_cases.change.import_(
        unquote(restaurant_id),
        data.entries(prices.currency),
        by=request.user,
        replace=True,
        expected_version=expected_version(if_match),
    )
    return _changed(change_view(done))


@_put(
    "/{restaurant_id:str}/prices/{item_id:str}",
    dto=ExactBody[PriceBody],
    operation_id="setPrice",
    summary="Set the price of an item",
)
async def set_price(
    request: Request[Actor, Any, Any],
    prices: NamedDependency[Prices],
    restaurant_id: FromPath[str],
    item_id: FromPath[str],
    data: JSONBody[PriceBody],
    if_match: IfMatch = None,
) -> Response[PriceChangeView]:
    """Set name, price and availability of an item, which may be new."""
    done = await prices.use_cases.change.set(
        unquote(restaurant_id),
        data.of_item(identifier(unquote(item_id), field="itemId"), prices.currency),
        by=request.user,
        expected_version=expected_version(if_match),
    )
    return _changed(change_view(done))


@delete(
    "/{restaurant_id:str}/prices/{item_id:str}",
    status_code=200,
    response_headers=[LIST_ETAG],
    responses=problems(400, 401, 403, 404, 412, 500, 503),
    operation_id="removePrice",
    summary="Remove the price of an item",
)
async def remove_price(
    request: Request[Actor, Any, Any],
    prices: NamedDependency[Prices],
    restaurant_id: FromPath[str],
    item_id: FromPath[str],
    if_match: IfMatch = None,
) -> Response[PriceChangeView]:
    """Remove an item from the list. It cannot be ordered any more."""
    done = await prices.use_cases.change.remove(
        unquote(restaurant_id), unquote(item_id), by=request.user, expected_version=expected_version(if_match)
    )
    return _changed(change_view(done))


def _changed(view: PriceChangeView) -> Response[Any]:
    return Response(render(view), media_type="application/json", headers={"ETag": etag(view.version)})


ROUTES = [list_prices, replace_prices, set_price, remove_price]
