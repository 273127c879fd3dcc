"""docs/operations.md and the metrics say the same."""

from __future__ import annotations

import re
from pathlib import Path

from app.metrics import Metrics

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROWS = {
    name: set(re.findall(r"`(\w+)`", labels))
    for name, labels in re.findall(r"^\| `(tocsin_\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
}


def exposed() -> dict[str, set[str]]:
    """Every metric by the name it is scraped under, with its labels."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): set(metric._labelnames)
        for metric in vars(Metrics()).values()
        if hasattr(metric, "collect") and hasattr(metric, "_labelnames")
        for family in metric.collect()
    }


def test_the_table_has_every_metric_with_its_labels_and_no_other():
    assert exposed() == ROWS


def test_the_rules_to_copy_name_only_metrics_that_exist():
    rules = re.search(r"```yaml\ngroups:.*?```", PAGE, re.DOTALL)
    assert rules
    assert set(re.findall(r"tocsin_\w+", rules[0])) <= exposed().keys()
