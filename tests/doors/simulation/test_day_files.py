"""A day is read from and written to a folder; a mistake in it is refused with its file, line and column."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve
from hypothesis import given, settings
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.simulation import day_files
from orderflow.entrypoints.simulation.day import Courier, Day, DayOrder, Parameters, Restaurant
from orderflow.entrypoints.simulation.day_files import read_day, write_day
from orderflow.entrypoints.simulation.generate_day import generate_day

from .days import REAL_DAYS, crowded_days, real_day

ORDERS = "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
COURIERS = "courier\tx\ty\ton_time\toff_time\n"
RESTAURANTS = "restaurant\tx\ty\n"
PARAMETERS = (
    "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door"
    "\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
)
PARAMETER_ROW = "320\t4\t3\t40\t90\t10\t15.50\n"
GOOD = {
    "orders.txt": ORDERS + "o1\t100\t200\t600\tr1\t615\no2\t1\t2\t601\tr2\t601\n",
    "couriers.txt": COURIERS + "c1\t10\t20\t540\t720\n",
    "restaurants.txt": RESTAURANTS + "r1\t30\t40\nr2\t50\t60.5\n",
    "instance_parameters.txt": PARAMETERS + PARAMETER_ROW,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a valid day."""
    there = tmp_path / "monday"
    there.mkdir()
    for name, text in GOOD.items():
        (there / name).write_text(text, newline="")
    return there


def test_a_folder_becomes_a_day(folder):
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
            pay_per_order=10,
            guaranteed_pay_per_hour=15.5,
        ),
    )


def test_lines_may_end_with_crlf_and_the_last_without_any(folder):
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
def test_the_name_of_a_day_can_begin_an_identifier(folder, folder_name, day_name):
    named = folder.rename(folder.with_name(folder_name))

    day = read_day(named)

    assert day.name == day_name


ROW = "o1\t1\t2\t600\tr1\t615\n"
BROKEN = [
    # file, content, field of the error, words of the problem and of what is allowed
    ("orders.txt", "", "orders.txt:1: order", "''", "order, x, y"),
    ("orders.txt", ORDERS.replace("x\ty", "y\tx"), "orders.txt:1: x", "'y'", "order, x, y"),
    ("orders.txt", ORDERS.replace("\tready_time", ""), "orders.txt:1: ready_time", "''", "ready_time"),
    ("orders.txt", ORDERS.replace("\n", "\tnote\n"), "orders.txt:1: after the last column", "'note'", "6 columns"),
    ("orders.txt", ORDERS + ROW.replace("\t615", ""), "orders.txt:2", "5", "6 columns separated by tabs"),
    ("orders.txt", ORDERS + ROW.replace("615", "615\t"), "orders.txt:2", "7", "6 columns separated by tabs"),
    ("orders.txt", ORDERS + ROW + "\n", "orders.txt:3", "1", "6 columns separated by tabs"),
    ("orders.txt", ORDERS + ROW.replace("o1", "o 1"), "orders.txt:2: order", "'o 1'", "1 to 64 printable"),
    ("orders.txt", ORDERS + ROW.replace("o1", ""), "orders.txt:2: order", "''", "1 to 64 printable"),
    ("orders.txt", ORDERS + ROW.replace("600", "noon"), "orders.txt:2: placement_time", "'noon'", "0 to 2,880"),
    ("orders.txt", ORDERS + ROW.replace("600", "-1"), "orders.txt:2: placement_time", "'-1'", "0 to 2,880"),
    ("orders.txt", ORDERS + ROW.replace("615", "2881"), "orders.txt:2: ready_time", "'2881'", "0 to 2,880"),
    ("orders.txt", ORDERS + ROW.replace("\t2", "\tNaN"), "orders.txt:2: y", "'NaN'", "metres"),
    ("orders.txt", ORDERS + ROW.replace("\t2", "\t1e999"), "orders.txt:2: y", "'1e999'", "metres"),
    ("orders.txt", ORDERS + ROW.replace("r1", "r9"), "orders.txt:2: restaurant", "'r9'", "restaurants.txt"),
    ("orders.txt", ORDERS + ROW.replace("615", "599.5"), "orders.txt:2: ready_time", "599.5 is before", "600 or later"),
    ("orders.txt", ORDERS + ROW + ROW, "orders.txt:3: order", "'o1' is on line 2", "unique"),
    ("couriers.txt", COURIERS + "c1\t1\t2\t600\t599\n", "couriers.txt:2: off_time", "599 is before", "600 or later"),
    ("couriers.txt", COURIERS + "c1\t1\t2\t0\t9\n" * 2, "couriers.txt:3: courier", "'c1'", "unique"),
    ("restaurants.txt", RESTAURANTS + "r1\t1\t2\n" * 2, "restaurants.txt:3: restaurant", "'r1'", "unique"),
    ("instance_parameters.txt", PARAMETERS, "instance_parameters.txt", "0 rows", "one row"),
    ("instance_parameters.txt", PARAMETERS + PARAMETER_ROW * 2, "instance_parameters.txt", "2 rows", "one row"),
    (
        "instance_parameters.txt",
        PARAMETERS + PARAMETER_ROW.replace("320", "0"),
        "instance_parameters.txt:2: meters_per_minute",
        "'0'",
        "metres per minute",
    ),
    (
        "instance_parameters.txt",
        PARAMETERS + PARAMETER_ROW.replace("15.50", "ten"),
        "instance_parameters.txt:2: guaranteed pay per hour",
        "'ten'",
        "an amount of money",
    ),
]


@pytest.mark.parametrize(("file", "text", "field", "problem", "allowed"), BROKEN, ids=lambda value: None)
def test_a_mistake_is_refused_with_its_file_line_and_column(folder, file, text, field, problem, allowed):
    (folder / file).write_text(text)

    with pytest.raises(InvalidInput) as refused:
        read_day(folder)

    assert refused.value.field == field
    assert problem in refused.value.problem
    assert allowed in refused.value.allowed


def test_bytes_that_are_not_utf_8_are_refused_with_their_cell(folder):
    (folder / "orders.txt").write_bytes(ORDERS.encode() + ROW.encode().replace(b"r1", b"r\xff1"))

    with pytest.raises(InvalidInput, match=r"orders.txt:2: restaurant: 'r\\udcff1'"):
        read_day(folder)


def test_a_long_cell_is_shortened_in_the_error(folder):
    (folder / "orders.txt").write_text(ORDERS + ROW.replace("\t1\t", f"\t{'z' * 100_000}\t"))

    with pytest.raises(InvalidInput, match=r"orders.txt:2: x") as refused:
        read_day(folder)

    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("file", GOOD)
def test_a_file_that_is_missing_or_cannot_be_read_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(InvalidInput, match=f"^{file}: .*No such file"):
        read_day(folder)
    (folder / file).mkdir()
    with pytest.raises(InvalidInput, match=f"^{file}: .*Is a directory"):
        read_day(folder)


def test_a_file_without_an_end_is_read_only_so_far(folder, monkeypatch):
    monkeypatch.setattr(day_files, "MAX_CHARACTERS", 1_000)
    (folder / "orders.txt").unlink()
    (folder / "orders.txt").symlink_to("/dev/zero")

    with pytest.raises(InvalidInput, match=r"orders.txt: it has more than 1,000 characters"):
        read_day(folder)


@settings(max_examples=100)
@given(crowded_days())
def test_every_day_is_read_back_equal(day: Day):
    with TemporaryDirectory() as there:
        folder = Path(there) / day.name

        write_day(day, folder)

        assert read_day(folder) == day


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_is_written_back_byte_for_byte(name, tmp_path):
    folder = real_day(name)

    write_day(read_day(folder), tmp_path)

    assert all((tmp_path / file.name).read_bytes() == file.read_bytes() for file in folder.iterdir())


def test_numbers_are_written_so_that_they_read_back_equal(tmp_path):
    day = evolve(generate_day(1, 1), restaurants=(Restaurant(id="r1", x=1200.0, y=0.1 + 0.2),))

    write_day(day, tmp_path)

    assert (tmp_path / "restaurants.txt").read_bytes() == b"restaurant\tx\ty\nr1\t1200\t0.30000000000000004\n"


def test_writing_again_replaces_the_files(tmp_path):
    write_day(generate_day(50, 1), tmp_path / "synthetic-10-1")
    day = generate_day(10, 1)

    write_day(day, tmp_path / day.name)

    assert read_day(tmp_path / day.name) == day
