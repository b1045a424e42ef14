"""The campaign's checker sees each damage that ``orderflow check`` alone could not know of."""

from collections.abc import Callable
from typing import Any

import pytest

from .counting_consumer import COUNTING, EFFECTS
from .installation import in_memory
from .invariants import ACKNOWLEDGED, CAUGHT_UP, CONVERGED, CURSORS, MAIL, MONEY, ON_TOPIC
from .sweep import Sweep


def _storage(lived: Sweep) -> Any:
    return lived.installation.container.storage().inner


def _effects(lived: Sweep) -> Any:
    return lived.installation.container.effects().inner


def _an_order_is_gone(lived: Sweep) -> None:
    _storage(lived)._orders.pop(lived.clients[0].acknowledged["short"].order_id)


def _an_answer_is_another(lived: Sweep) -> None:
    responses = _storage(lived).answers.responses
    (key, (answer, at)), *_ = responses.items()
    responses[key] = (type(answer)(fingerprint=key[1], body=b"another", order_id=answer.order_id), at)


def _a_cursor_went_back(lived: Sweep) -> None:
    cursors = _storage(lived).cursors.cursors["analytics"]
    cursors[max(cursors)] -= 1


def _the_topic_lacks_the_newest(lived: Sweep) -> None:
    lived.installation.topic.records.pop()


def _the_newest_waits_for_the_relay(lived: Sweep) -> None:
    record = lived.installation.topic.records.pop()
    _storage(lived).cursors.cursors["relay"][record.address[0]] -= 1


def _a_capture_is_not_known(lived: Sweep) -> None:
    _storage(lived).attempts.attempts.pop(next(key for key in _storage(lived).attempts.attempts if "capture" in key))


def _a_mail_never_arrived(lived: Sweep) -> None:
    del lived.installation.mail.sent[0]


def _an_event_counted_twice(lived: Sweep) -> None:
    counted = _effects(lived)._stock
    counted[next(food for food in counted if food[0] == COUNTING)] += 1


@pytest.mark.parametrize(
    ("damage", "comparison"),
    [
        (_an_order_is_gone, ACKNOWLEDGED),
        (_an_answer_is_another, CONVERGED),
        (_a_cursor_went_back, CURSORS),
        (_the_topic_lacks_the_newest, ON_TOPIC),
        (_the_newest_waits_for_the_relay, CAUGHT_UP),
        (_a_capture_is_not_known, MONEY),
        (_a_mail_never_arrived, MAIL),
        (_an_event_counted_twice, EFFECTS),
    ],
)
async def test_damage_is_seen(damage: Callable[[Sweep], None], comparison: str) -> None:
    lived = Sweep(in_memory())
    await lived.live()
    await lived.finish()
    before = await lived.check()

    damage(lived)

    after = await lived.check()
    assert before.clean
    assert comparison in {each.name for each in after.comparisons if each.found}
