"""The documentation's page about the states shows what the code does."""

import re
from pathlib import Path

from orderflow.domain.actor import Role
from orderflow.domain.consent import CONSENT, RestaurantOrders
from orderflow.domain.lifecycle import TRANSITIONS, Guard, OrderState, Relation
from orderflow.domain.payment import PAYMENT_TRANSITIONS

PAGE = Path(__file__).parents[3] / "docs" / "states.md"

WHO = {
    (Role.CUSTOMER, Relation.OWN): "the order's customer",
    (Role.RESTAURANT, Relation.OWN): "the order's restaurant",
    (Role.SHIPPER, Relation.ASSIGNED): "the assigned shipper",
    (Role.ADMIN, Relation.ANY): "an admin",
}
NEEDS = {None: "", Guard.SHIPPER: "a shipper is assigned", Guard.REASON: "a non-empty reason"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def state_diagram() -> str:
    """The table of transitions as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> waiting_for_shipper"]
    for t in TRANSITIONS:
        roles = ", ".join(role if tie is Relation.ANY else f"{tie} {role}" for role, tie in t.by.items())
        guard = f" [{t.guard}]" if t.guard else ""
        otherwise = ", or by assigning a shipper" if t.target is OrderState.PREPARING else ""
        lines.append(f"    {t.source} --> {t.target}: {roles}{guard}{otherwise}")
    lines += [f"    {state} --> [*]" for state in OrderState if state.terminal]
    return "\n".join(lines) + "\n"


def test_the_diagram_is_the_one_that_the_table_draws() -> None:
    shown = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    assert shown == [state_diagram()], f"docs/states.md must show:\n\n```mermaid\n{state_diagram()}```\n"


def test_the_table_in_words_says_the_same() -> None:
    documented = [(row[0], row[1], row[2].split(";")[0], row[3].split(";")[0]) for row in rows("Who may do what")]

    assert documented == [
        (f"`{t.source}`", f"`{t.target}`", ", ".join(WHO[role, tie] for role, tie in t.by.items()), NEEDS[t.guard])
        for t in TRANSITIONS
    ]


def test_the_rules_of_consent_say_the_same() -> None:
    settings = {
        rule: " or ".join(f"`{each}`" for each in RestaurantOrders if each.includes(rule)) for rule in RestaurantOrders
    }
    settings[RestaurantOrders.NONE] = ""

    assert rows("Placing and paying") == [
        [str(action), ", ".join(WHO[role, tie] for role, tie in rule.by.items()), settings[rule.restaurants]]
        for action, rule in CONSENT.items()
    ]


def test_the_payment_table_says_the_same() -> None:
    documented = {(source.strip("` "), row[1].strip("`")) for row in rows("Payment") for source in row[0].split(",")}

    assert documented == {
        (str(source), str(target)) for source, targets in PAYMENT_TRANSITIONS.items() for target in targets
    }
