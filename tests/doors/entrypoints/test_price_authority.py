"""The price authority is chosen by a setting, and a wrong name never trusts."""

import sys
from pathlib import Path

import pytest
from orderflow import InvalidInput, Money, OrderFlow, OrderLine, load_settings
from orderflow.application.orders.price_authority import TrustPrices
from orderflow.application.prices.check_prices import ListedPrices
from orderflow.entrypoints.container import container_for

from tests.unit.domain.actors import eur

OWN = """
from orderflow.domain.errors import InvalidInput

class Never:
    async def check(self, order, *, by):
        raise InvalidInput("orderDetails", f"{by} may not", "nothing")

class Wrong:
    def check(self, order): ...
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_prices_of_a_test.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_prices_of_a_test", raising=False)
    return "own_prices_of_a_test"


@pytest.mark.parametrize(("name", "kind"), [("trust", TrustPrices), ("list", ListedPrices)])
def test_the_shipped_ones_are_chosen_by_name(name: str, kind: type) -> None:
    settings = load_settings(environment={"ORDERFLOW_PRICES": name}, database_url="memory://")

    assert isinstance(container_for(settings).price_authority(), kind)


async def test_one_of_an_application_decides(own_module: str) -> None:
    line = OrderLine(food_id="F1", food_name="Pizza", price=eur("1"), quantity=1, discount=Money.zero("EUR"))
    async with OrderFlow.open("memory://", prices=f"{own_module}:Never") as flow:
        with pytest.raises(InvalidInput, match="admin:embedded may not"):
            await flow.create_order(customer_id="C1", restaurant_id="R1", lines=[line], currency="EUR")

        assert (await flow.list_orders()).orders == ()


@pytest.mark.parametrize("name", ["lists", "Trust", "nothing:there", "own_prices_of_a_test:Wrong"])
async def test_a_wrong_name_is_refused_before_anything_opens(own_module: str, name: str) -> None:
    with pytest.raises(InvalidInput, match="ORDERFLOW_PRICES"):
        async with OrderFlow.open("memory://", prices=name):
            pass


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ORDERFLOW_PRICES"):
        load_settings(environment={"ORDERFLOW_PRICES": ""}, database_url="memory://")
