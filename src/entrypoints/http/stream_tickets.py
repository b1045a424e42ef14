"""Tickets that open a live stream once, for clients that cannot send headers, such as EventSource in browsers."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from attrs import frozen
from litestar import Request, Response, post
from litestar.di import NamedDependency

from ...application.auth import Scope, digest_of
from ...application.streams.ports import TICKET_SECONDS, StreamTicket, StreamTickets
from ...domain.actor import Actor
from .auth import GRANT, KnownTokens, Unauthenticated, new_token
from .conditions import refuse_idempotency_key
from .openapi import problems
from .reads import json_response


@frozen(kw_only=True)
class TicketView:
    """``ticket`` opens ``GET /v1/stream?ticket=...`` once, until ``expiresAt``."""

    ticket: str
    expires_at: datetime


@frozen
class Tickets:
    """Makes tickets, and accepts each once. ``tokens`` are asked whether the token of a ticket is still valid.

    ``token_of`` returns the digest of the token that a request without one rests on: that of its session.
    """

    stored: StreamTickets
    tokens: KnownTokens
    token_of: Callable[[Mapping[str, str]], Awaitable[str]] | None = None

    async def make(self, request: Request[Actor, Any, Any]) -> TicketView:
        """Return a new ticket with the rights of the caller. Raises StorageUnavailable."""
        grant, token = request.scope[GRANT], ""  # type: ignore[literal-required]
        if grant.expires_at is None:
            token = await self._token(request.headers)
        ticket, digest = new_token()
        held = StreamTicket(grant=grant, token=token)
        return TicketView(ticket=ticket, expires_at=await self.stored.add(digest, held, seconds=TICKET_SECONDS))

    async def _token(self, headers: Mapping[str, str]) -> str:
        """Return the digest of the token that the caller's rights rest on; empty in development mode."""
        if secret := headers.get("authorization", "").partition(" ")[2].strip():
            return digest_of(secret)
        return "" if self.token_of is None else await self.token_of(headers)

    async def accept(self, secret: str) -> tuple[StreamTicket, Callable[[], Awaitable[bool]]]:
        """Return the ticket, and what returns whether its caller still has the same rights. Raises Unauthenticated."""
        held = await self.stored.take(digest_of(secret))
        if held is None:
            raise Unauthenticated("the ticket is invalid: it is unknown, was used or has expired")
        return held, partial(self._still_grants, held)

    async def _still_grants(self, held: StreamTicket) -> bool:
        if held.grant.expires_at is not None:
            return datetime.now(UTC) < held.grant.expires_at
        return not held.token or await self.tokens.find(held.token) == held.grant


@post(
    "/stream-tickets",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="makeStreamTicket",
    summary="Make a ticket for a live stream",
    opt={"scope": Scope.READ, "creates": True},
    guards=[refuse_idempotency_key],
)
async def make_ticket(request: Request[Actor, Any, Any], tickets: NamedDependency[Tickets]) -> Response[TicketView]:
    """Return a ticket with the rights of the caller. It opens one stream, within 30 seconds, and nothing else."""
    return json_response(await tickets.make(request), {"Cache-Control": "no-store"}, status=201)
