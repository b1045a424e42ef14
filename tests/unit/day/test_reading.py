"""A folder becomes a day; what is wrong in it is refused by file, line and column."""

from decimal import Decimal
from pathlib import Path

import pytest
from orderflow.application.day.day import Courier, Day, DayOrder, Parameters, Restaurant
from orderflow.application.day.reading import read_day
from orderflow.domain.errors import InvalidInput

ORDERS = "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
COURIERS = "courier\tx\ty\ton_time\toff_time\n"
RESTAURANTS = "restaurant\tx\ty\n"
PARAMETERS = (
    "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door"
    "\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
)
GOOD = {
    "orders.txt": ORDERS + "o1\t100\t200\t600\tr1\t615\no2\t1\t2\t601\tr2\t601\n",
    "couriers.txt": COURIERS + "c1\t10\t20\t540\t720\n",
    "restaurants.txt": RESTAURANTS + "r1\t30\t40\nr2\t50\t60.5\n",
    "instance_parameters.txt": PARAMETERS + "320\t4\t3\t40\t90\t10\t15.50\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good day."""
    there = tmp_path / "monday"
    there.mkdir()
    for name, text in GOOD.items():
        (there / name).write_text(text, newline="")
    return there


def refusal(folder: Path) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_day(folder)
    return caught.value


def test_a_good_folder_is_read_whole(folder):
    day = read_day(folder)

    assert day == Day(
        name="monday",
        orders=(
            DayOrder(id="o1", x=100, y=200, placed_at=600, restaurant="r1", ready_at=615),
            DayOrder(id="o2", x=1, y=2, placed_at=601, restaurant="r2", ready_at=601),
        ),
        couriers=(Courier(id="c1", x=10, y=20, on=540, off=720),),
        restaurants=(Restaurant(id="r1", x=30, y=40), Restaurant(id="r2", x=50, y=60.5)),
        parameters=Parameters(
            metres_per_minute=320,
            pickup_minutes=4,
            dropoff_minutes=3,
            target_click_to_door=40,
            maximum_click_to_door=90,
            pay_per_order=Decimal(10),
            guaranteed_pay_per_hour=Decimal("15.50"),
        ),
    )


def test_a_file_may_end_its_lines_as_windows_does_and_lack_the_last_line_end(folder):
    good = read_day(folder)
    for name, text in GOOD.items():
        (folder / name).write_bytes(text.removesuffix("\n").replace("\n", "\r\n").encode())

    day = read_day(folder)

    assert day == good


def test_a_day_may_have_no_orders_and_no_couriers(folder):
    (folder / "orders.txt").write_text(ORDERS)
    (folder / "couriers.txt").write_text(COURIERS)

    day = read_day(folder)

    assert (day.orders, day.couriers) == ((), ())


@pytest.mark.parametrize(
    ("folder_name", "day_name"), [("a day in May", "a-day-in-May"), ("día", "d-a"), ("x" * 80, "x" * 32)]
)
def test_the_days_name_can_begin_an_identifier(folder, folder_name, day_name):
    named = folder.rename(folder.with_name(folder_name))

    day = read_day(named)

    assert day.name == day_name


BROKEN = [
    # file, its text, the field, a word of the problem, a word of what is allowed
    ("orders.txt", "", "orders.txt", "empty", "order, x, y"),
    ("couriers.txt", "", "couriers.txt", "empty", "courier, x, y"),
    ("orders.txt", "\n", "orders.txt:1: order", "the header has ''", "order, x, y"),
    ("orders.txt", ORDERS.replace("x\ty", "y\tx"), "orders.txt:1: x", "'y'", "order, x, y"),
    ("orders.txt", ORDERS.replace("\tready_time", ""), "orders.txt:1: ready_time", "ends before", "ready_time"),
    ("orders.txt", ORDERS.replace("\n", "\tnote\n"), "orders.txt:1: column 7", "'note'", "ready_time"),
    ("orders.txt", "\ufeff" + ORDERS, "orders.txt:1: order", "'\\ufefforder'", "order, x, y"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\tr1\n", "orders.txt:2: ready_time", "5 of 6", "6 columns"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\tr1\t615\t\n", "orders.txt:2: column 7", "7 of 6", "6 columns"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\tr1\t615\n\n", "orders.txt:3: order", "the line is empty", "6 columns"),
    ("orders.txt", ORDERS + "o1 1 2 600 r1 615\n", "orders.txt:2: x", "1 of 6", "tab"),
    ("orders.txt", ORDERS + "o 1\t1\t2\t600\tr1\t615\n", "orders.txt:2: order", "'o 1'", "without spaces"),
    ("orders.txt", ORDERS + "\t1\t2\t600\tr1\t615\n", "orders.txt:2: order", "''", "1 to 64"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\t\t615\n", "orders.txt:2: restaurant", "''", "1 to 64"),
    ("orders.txt", ORDERS + "o1\t1\t2\tnoon\tr1\t615\n", "orders.txt:2: placement_time", "'noon'", "0 to 2,880"),
    ("orders.txt", ORDERS + "o1\t1\t2\t\tr1\t615\n", "orders.txt:2: placement_time", "''", "minutes"),
    ("orders.txt", ORDERS + "o1\t1\t2\t-1\tr1\t615\n", "orders.txt:2: placement_time", "'-1'", "0 to 2,880"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\tr1\t2881\n", "orders.txt:2: ready_time", "'2881'", "0 to 2,880"),
    ("orders.txt", ORDERS + "o1\tNaN\t2\t600\tr1\t615\n", "orders.txt:2: x", "'NaN'", "metres"),
    ("orders.txt", ORDERS + "o1\t1\tinf\t600\tr1\t615\n", "orders.txt:2: y", "'inf'", "metres"),
    ("orders.txt", ORDERS + "o1\t1\t1e999\t600\tr1\t615\n", "orders.txt:2: y", "'1e999'", "metres"),
    ("orders.txt", ORDERS + "o1\t1_0\t2\t600\tr1\t615\n", "orders.txt:2: x", "'1_0'", "metres"),
    ("orders.txt", ORDERS + "o1\t 1\t2\t600\tr1\t615\n", "orders.txt:2: x", "' 1'", "metres"),
    ("orders.txt", ORDERS + "o1\t\u0661\t2\t600\tr1\t615\n", "orders.txt:2: x", "'\u0661'", "metres"),
    ("orders.txt", ORDERS + "o1\t1\t2\t600\tr9\t615\n", "orders.txt:2: restaurant", "'r9'", "restaurants.txt"),
    (
        "orders.txt",
        ORDERS + "o1\t1\t2\t600\tr1\t599.5\n",
        "orders.txt:2: ready_time",
        "599.5 is before",
        "600 or later",
    ),
    (
        "orders.txt",
        ORDERS + "o1\t1\t2\t600\tr1\t615\no2\t1\t2\t600\tr1\t615\no1\t1\t2\t600\tr1\t615\n",
        "orders.txt:4: order",
        "'o1' stands on line 2",
        "its own",
    ),
    ("couriers.txt", COURIERS + "c1\t1\t2\t600\t599\n", "couriers.txt:2: off_time", "599 is before", "600 or later"),
    ("couriers.txt", COURIERS + "c1\t1\t2\t0\t9\nc1\t1\t2\t0\t9\n", "couriers.txt:3: courier", "'c1'", "its own"),
    ("couriers.txt", COURIERS + "c1\t1\t2\t0\n", "couriers.txt:2: off_time", "4 of 5", "5 columns"),
    ("restaurants.txt", RESTAURANTS + "r1\t1\t2\nr1\t1\t2\n", "restaurants.txt:3: restaurant", "'r1'", "its own"),
    ("restaurants.txt", RESTAURANTS + "r1\t1\t-2\n", "restaurants.txt:2: y", "'-2'", "metres"),
    ("instance_parameters.txt", PARAMETERS, "instance_parameters.txt:2: meters_per_minute", "no row", "one row"),
    (
        "instance_parameters.txt",
        PARAMETERS + "320\t4\t4\t40\t90\t10\t15\n" * 2,
        "instance_parameters.txt:3: meters_per_minute",
        "a second row",
        "one row",
    ),
    (
        "instance_parameters.txt",
        PARAMETERS + "0\t4\t4\t40\t90\t10\t15\n",
        "instance_parameters.txt:2: meters_per_minute",
        "'0'",
        "metres per minute",
    ),
    (
        "instance_parameters.txt",
        PARAMETERS + "320\t4\t4\t40\t0\t10\t15\n",
        "instance_parameters.txt:2: maximum click-to-door",
        "'0'",
        "1 to 1,440",
    ),
    (
        "instance_parameters.txt",
        PARAMETERS + "320\t4\t4\t40\t90\tten\t15\n",
        "instance_parameters.txt:2: pay per order",
        "'ten'",
        "units of money",
    ),
]


@pytest.mark.parametrize(("file", "text", "field", "problem", "allowed"), BROKEN, ids=lambda value: None)
def test_what_is_wrong_is_named_by_file_line_and_column(folder, file, text, field, problem, allowed):
    (folder / file).write_bytes(text.encode())

    refused = refusal(folder)

    assert refused.field == field
    assert problem in refused.problem
    assert allowed in refused.allowed


@pytest.mark.parametrize("file", GOOD)
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()

    refused = refusal(folder)

    assert refused.field == file
    assert "no such file" in refused.problem


@pytest.mark.parametrize("file", GOOD)
def test_a_file_that_cannot_be_read_is_named(folder, file):
    (folder / file).unlink()
    (folder / file).mkdir()

    refused = refusal(folder)

    assert refused.field == file
    assert "cannot be read" in refused.problem


def test_a_missing_folder_is_named(tmp_path):
    nowhere = tmp_path / "nowhere"

    refused = refusal(nowhere)

    assert str(nowhere) in refused.problem


def test_bytes_that_are_no_text_are_named_by_line_and_column(folder):
    (folder / "orders.txt").write_bytes(ORDERS.encode() + b"o1\t1\t2\t600\tr\xff1\t615\n")

    refused = refusal(folder)

    assert (refused.field, refused.problem) == ("orders.txt:2: restaurant", "byte 0xff is no UTF-8")


def test_a_cell_without_end_is_shown_shortened(folder):
    (folder / "orders.txt").write_text(ORDERS + f"o1\t{'z' * 100_000}\t2\t600\tr1\t615\n")

    refused = refusal(folder)

    assert refused.field == "orders.txt:2: x"
    assert len(str(refused)) < 300
