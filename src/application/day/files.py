"""The four files of a day's folder and their columns, in the order in which they stand there."""

from attrs import frozen


@frozen
class DayFile:
    """A tab-separated UTF-8 text file whose first line names its columns."""

    name: str
    columns: tuple[str, ...]


ORDERS = DayFile("orders.txt", ("order", "x", "y", "placement_time", "restaurant", "ready_time"))
COURIERS = DayFile("couriers.txt", ("courier", "x", "y", "on_time", "off_time"))
RESTAURANTS = DayFile("restaurants.txt", ("restaurant", "x", "y"))
PARAMETERS = DayFile(
    "instance_parameters.txt",
    (
        "meters_per_minute",
        "pickup service minutes",
        "dropoff service minutes",
        "target click-to-door",
        "maximum click-to-door",
        "pay per order",
        "guaranteed pay per hour",
    ),
)
