"""Orders inside a Django application of your own, here a project in one file.

    pip install . django
    python examples/django_app.py place-missed  # from cron, every minute
    python examples/django_app.py runserver --noreload

Settings come from ORDERFLOW_* in the environment. The flow is opened when a process first needs it, after any fork of
the server. Views are plain functions: an ``async def`` view would use OrderFlow.open() instead.

A lunch is a row of Django's own, in a database of its own. Its order has the row's id: it is placed after the row was
committed, and by place-missed if the process ended in between. Placing it twice places one order.
"""

import json
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from threading import Lock
from uuid import uuid4

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_http_methods
from orderflow import (
    Actor,
    CommandRefused,
    Conflict,
    InvalidInput,
    Money,
    NotFound,
    Order,
    OrderFlow,
    OrderFlowError,
    OrderLine,
    Role,
    SyncOrderFlow,
)

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("LUNCHES", "lunches.sqlite3")}
    },
    MIDDLEWARE=[f"{__name__}.Refusals"],
)
django.setup()
opening = Lock()


class Lunch(models.Model):
    """A guest's order. ``placed`` is false until its order, which has the same id, is known to exist."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    guest = models.CharField(max_length=64)
    dish = models.CharField(max_length=64)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    placed = models.BooleanField(default=False)

    class Meta:
        app_label = "lunches"


if Lunch._meta.db_table not in connection.introspection.table_names():  # a project of many files has migrations
    with connection.schema_editor() as editor:
        editor.create_model(Lunch)


@cache
def flow_of(process: int) -> SyncOrderFlow:
    return OrderFlow.open_sync(consumers=["notifications", "analytics", "inventory"])


def the_flow() -> SyncOrderFlow:
    """The flow of this process, which is closed when the process ends."""
    with opening:
        return flow_of(os.getpid())


def place(lunch: Lunch) -> Order:
    """Place the order of a row that is committed. With the same id and values, the order that exists is returned."""
    price = Money(Decimal(lunch.price), "EUR")
    line = OrderLine(food_id=lunch.dish, food_name=lunch.dish, price=price, quantity=1, discount=Money.zero("EUR"))
    order = the_flow().create_order(
        order_id=str(lunch.id), customer_id=lunch.guest, restaurant_id="canteen", lines=[line], currency="EUR"
    )
    Lunch.objects.filter(id=lunch.id).update(placed=True)
    return order


def place_missed() -> None:
    for lunch in Lunch.objects.filter(placed=False):
        place(lunch)


@require_http_methods(["POST"])
def order_lunch(request: HttpRequest) -> JsonResponse:
    wanted = json.loads(request.body)
    with transaction.atomic():  # together with any other rows of the application
        lunch = Lunch.objects.create(guest=wanted["guest"], dish=wanted["dish"], price=Decimal(wanted["price"]))
    try:
        order = place(lunch)
    except (InvalidInput, CommandRefused):
        lunch.delete()
        raise
    return JsonResponse(shown(order), status=201)


@require_http_methods(["GET", "DELETE"])
def one_lunch(request: HttpRequest, order_id: str) -> JsonResponse:
    guest = Actor(Role.CUSTOMER, request.GET["guest"])
    if request.method == "DELETE":
        return JsonResponse(shown(the_flow().cancel_order(order_id, "changed my mind", by=guest)))
    return JsonResponse(shown(the_flow().get_order(order_id, by=guest)))


class Refusals:
    """A middleware that answers errors of orderflow."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OrderFlowError):
            return None
        statuses = {InvalidInput: 422, NotFound: 404, CommandRefused: 409, Conflict: 409}
        status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 503)
        return JsonResponse({"code": error.code, "detail": str(error)}, status=status)


def shown(order: Order) -> dict[str, str]:
    return {"id": order.id, "state": order.state, "total": str(order.total)}


urlpatterns = [path("lunches", order_lunch), path("lunches/<str:order_id>", one_lunch)]

application = get_wsgi_application()

if __name__ == "__main__":
    if sys.argv[1:] == ["place-missed"]:
        place_missed()
    else:
        execute_from_command_line(sys.argv)
