"""Checks a finished plan against the rules of dispatch, by examining every courier at every moment.

It shares nothing with the planner: it has no queue, times are exact fractions, and free couriers are derived from the
steps.
"""

from bisect import bisect_left
from collections import defaultdict
from fractions import Fraction
from functools import cache, cached_property
from itertools import combinations
from math import floor
from operator import attrgetter

from attrs import frozen
from orderflow.entrypoints.simulation.day import Courier, Day, DayOrder
from orderflow.entrypoints.simulation.dispatch_plan import Step, StepAction


@frozen
class Job:
    """One order delivered by one courier; times are in seconds since midnight."""

    order: DayOrder
    courier: Courier
    start: tuple[float, float]
    taken: int
    leaves: int
    done: int

    @cached_property
    def turn(self) -> tuple[int, tuple[int, int, str]]:
        """The sort key of assignments: within one second, the order of the queue."""
        return self.taken, _queue(self.order)


def broken_rules(day: Day, steps: tuple[Step, ...]) -> list[str]:
    """Describe what in ``steps`` breaks the rules; empty if nothing does."""
    jobs = _jobs(day, steps)
    return [
        *_paths(day, steps),
        *_ways(day, jobs),
        *_one_at_a_time(jobs),
        *_on_shift(jobs),
        *_nearest(day, jobs),
        *_waiting(day, steps, jobs),
    ]


@cache
def _seconds(minutes: float) -> int:
    return floor(Fraction(minutes) * 60 + Fraction(1, 2))


def _jobs(day: Day, steps: tuple[Step, ...]) -> list[Job]:
    """The jobs in the order of their assignment."""
    orders = {order.id: order for order in day.orders}
    couriers = {courier.id: courier for courier in day.couriers}
    at: dict[str, dict[StepAction, Step]] = defaultdict(dict)
    for step in steps:
        at[step.order_id][step.action] = step
    stands = {courier.id: (courier.x, courier.y) for courier in day.couriers}
    jobs = []
    delivered = [
        (done[StepAction.ASSIGN].at, _queue(orders[order_id]), order_id)
        for order_id, done in at.items()
        if StepAction.DELIVER in done
    ]
    for taken, _, order_id in sorted(delivered):
        done = at[order_id]
        order, courier = orders[order_id], couriers[done[StepAction.ASSIGN].shipper_id or ""]
        leaves, handed = done[StepAction.SEND_OUT].at, done[StepAction.DELIVER].at
        jobs.append(Job(order, courier, stands[courier.id], taken, leaves, handed))
        stands[courier.id] = (order.x, order.y)
    return jobs


def _paths(day: Day, steps: tuple[Step, ...]) -> list[str]:
    place, prepare, assign = StepAction.PLACE, StepAction.PREPARE, StepAction.ASSIGN
    bring = [place, prepare, assign, StepAction.SEND_OUT, StepAction.DELIVER]
    paths: dict[str, list[Step]] = {order.id: [] for order in day.orders}
    for step in steps:
        paths[step.order_id].append(step)
    wrong = [
        f"{order_id}: {path}"
        for order_id, path in paths.items()
        if [step.action for step in path] not in (bring, [place, prepare, StepAction.CANCEL])
        or [step.number for step in path] != list(range(1, len(path) + 1))
        or len({step.shipper_id for step in path if step.shipper_id}) > 1
    ]
    wrong += [
        f"{order.id} is placed at another time"
        for order in day.orders
        if paths[order.id] and paths[order.id][0].at != _seconds(order.placed_at)
    ]
    if list(steps) != sorted(steps, key=lambda step: (step.at, step.order_id, step.number)):
        wrong.append("the steps are not in order")
    return wrong


def _ways(day: Day, jobs: list[Job]) -> list[str]:
    """Travel times are rounded up: n seconds are enough, n - 1 are not."""
    restaurants = {restaurant.id: (restaurant.x, restaurant.y) for restaurant in day.restaurants}
    speed = Fraction(day.parameters.metres_per_minute) / 60
    wrong = []
    for job in jobs:
        counter, door = restaurants[job.order.restaurant], (job.order.x, job.order.y)
        to_counter = job.leaves - job.taken - _seconds(day.parameters.pickup_minutes)
        to_door = job.done - job.leaves - _seconds(day.parameters.dropoff_minutes)
        for taken, start, end in ((to_counter, job.start, counter), (to_door, counter, door)):
            squared = _squared(start, end)
            if not (speed * taken) ** 2 >= squared or (taken > 0 and (speed * (taken - 1)) ** 2 >= squared):
                wrong.append(f"{job.courier.id} takes {taken} s from {start} to {end}")
    return wrong


def _one_at_a_time(jobs: list[Job]) -> list[str]:
    return [
        f"{courier_id} has {one.order.id} and {other.order.id} at once"
        for courier_id, own in _by_courier(jobs).items()
        for one, other in combinations(own, 2)
        if other.taken < one.done
    ]


def _on_shift(jobs: list[Job]) -> list[str]:
    return [
        f"{job.courier.id} takes {job.order.id} off shift"
        for job in jobs
        if not _seconds(job.courier.on) <= job.taken < _seconds(job.courier.off)
    ]


def _nearest(day: Day, jobs: list[Job]) -> list[str]:
    """No free courier was nearer. Within one second, orders are assigned in the order of the queue."""
    restaurants = {restaurant.id: (restaurant.x, restaurant.y) for restaurant in day.restaurants}
    own_jobs = _by_courier(jobs)
    shifts = _shifts(day)
    wrong = []
    for job in jobs:
        its = (_squared(job.start, restaurants[job.order.restaurant]), job.courier.id)
        for courier, on, off in shifts:
            if courier is job.courier or not on <= job.taken < off:
                continue
            own = own_jobs[courier.id]
            before = own[: bisect_left(own, job.turn, key=attrgetter("turn"))]
            if any(other.done > job.taken for other in before):
                continue
            stands = (before[-1].order.x, before[-1].order.y) if before else (courier.x, courier.y)
            if (_squared(stands, restaurants[job.order.restaurant]), courier.id) < its:
                wrong.append(f"{courier.id} was free and nearer to {job.order.id} than {job.courier.id}")
    return wrong


def _squared(start: tuple[float, float], end: tuple[float, float]) -> Fraction | int:
    return (_exact(start[0]) - _exact(end[0])) ** 2 + (_exact(start[1]) - _exact(end[1])) ** 2


@cache
def _exact(metres: float) -> Fraction | int:
    """The exact number; an int if it is whole, because that is faster."""
    return int(metres) if metres == int(metres) else Fraction(metres)


def _by_courier(jobs: list[Job]) -> dict[str, list[Job]]:
    own: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        own[job.courier.id].append(job)
    return own


def _waiting(day: Day, steps: tuple[Step, ...], jobs: list[Job]) -> list[str]:
    """An order waits or is cancelled only if no courier is free, and the orders before it in the queue come first."""
    patience = _seconds(day.parameters.maximum_click_to_door)
    taken = {job.order.id: job.taken for job in jobs}
    own_jobs = _by_courier(jobs)
    shifts = _shifts(day)
    cancelled = {step.order_id: step.at for step in steps if step.action is StepAction.CANCEL}
    wrong = []
    for order in day.orders:
        ready, last = _seconds(order.ready_at), _seconds(order.placed_at) + patience
        until = taken.get(order.id, cancelled.get(order.id, last))
        if order.id in cancelled and until != last:
            wrong.append(f"{order.id} is cancelled at {until}, not at {last}")
        if order.id in taken and not ready <= until < last:
            wrong.append(f"{order.id} is taken at {until}, not from {ready} to before {last}")
        wrong += [
            f"{courier.id} was free for {order.id} from {start}, but it waited until {until}"
            for courier, on, off in shifts
            if (begin := max(ready, on)) < (end := min(until, off))
            and (start := _free_before(own_jobs[courier.id], begin, end)) is not None
        ]
        wrong += [
            f"{job.order.id} is taken before {order.id}, which was ready first"
            for job in jobs
            if ready <= job.taken < until and _queue(order) < job.turn[1]
        ]
    return wrong


def _queue(order: DayOrder) -> tuple[int, int, str]:
    return _seconds(order.ready_at), _seconds(order.placed_at), order.id


def _free_before(own: list[Job], since: int, until: int) -> int | None:
    """The first second from ``since`` and before ``until`` at the end of which a courier with those jobs is free."""
    for job in own:
        if job.taken <= since < job.done:
            since = job.done
    return since if since < until else None


def _shifts(day: Day) -> list[tuple[Courier, int, int]]:
    return [(courier, _seconds(courier.on), _seconds(courier.off)) for courier in day.couriers]
