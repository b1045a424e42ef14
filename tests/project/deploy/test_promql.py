"""The reading of names out of PromQL: what it overlooked, no other test would miss."""

import pytest

from tests.support.promql import names


@pytest.mark.parametrize(
    ("expression", "metrics", "labels"),
    [
        ("a", {"a": set()}, set()),
        ("level:a_b:rate5m", {"level:a_b:rate5m": set()}, set()),
        ('rate(a_total{x="1", y=~"b|c"}[5m])', {"a_total": {"x", "y"}}, set()),
        ("sum by (x, y) (rate(a[5m]))", {"a": set()}, {"x", "y"}),
        ("sum(a) by (x)", {"a": set()}, {"x"}),
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[$__rate_interval])))", {"a_bucket": set()}, {"le"}),
        ("a > on (x) group_left (z) b", {"a": set(), "b": set()}, {"x", "z"}),
        ("a * on () group_left b", {"a": set(), "b": set()}, set()),
        ("a offset 1w < bool 0.5 and b or vector(1)", {"a": set(), "b": set()}, set()),
        ("max_over_time(a[1h:5m]) == Inf", {"a": set()}, set()),
        ("a{x='}', y!=\"(\"} unless b", {"a": {"x", "y"}, "b": set()}, set()),
        ('count(a) / count by (x) (b{x=~"$x"})', {"a": set(), "b": {"x"}}, {"x"}),
    ],
)
def test_an_expression_names(expression: str, metrics: dict[str, set[str]], labels: set[str]) -> None:
    found = names(expression)

    assert (found.metrics, found.labels) == (metrics, labels)


def test_values_that_labels_must_have_are_found() -> None:
    found = names('a{x="1", y!="2", z=~"3"} / b{x="4"}')

    assert found.values == {("x", "1"), ("x", "4")}
