"""Each sender can be set up and tried: a guide with the address in it, an example that is read, a page that is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.senders import document
from app.sources.event import Received
from app.sources.registry import BUILT_IN
from app.sources.setup import as_test, example_of, guide_of, message_of

DOCS = Path(__file__).parent.parent.parent / "docs"
NOW = 1_785_000_000_000_000


class Strange:
    """A third party's source that says nothing of its set-up."""

    kind, title = "strange", "Strange"


@pytest.mark.parametrize("source", BUILT_IN, ids=lambda source: source.kind)
class TestEach:
    def test_the_guide_names_the_address_and_the_key_and_leaves_no_gap(self, source):
        guide = guide_of(source, "https://tocsin.test", "hunter2")
        address = f"https://tocsin.test/v1/in/{source.kind}"
        assert address in guide
        assert "hunter2" in guide
        gaps = ("url", "base", "root", "scheme", "host", "path", "key", "address")
        assert not any(f"{{{gap}}}" in guide for gap in gaps)

    def test_the_example_is_one_alert_that_fires_and_can_page(self, source):
        reading = source.read(Received(message_of(source)), source.Settings().unsigned(), NOW)
        (event,) = reading.events
        assert event.status == "firing"
        assert event.severity in {"critical", "error"}
        assert not reading.problems
        trial = as_test(event, "a", NOW, pages=True)
        assert (trial.test, trial.labels["tocsin_test"]) == (False, "true")
        assert trial.expires_at
        assert trial.key != as_test(event, "b", NOW, pages=True).key
        assert as_test(event, "a", NOW, pages=False).test


def test_a_source_that_says_nothing_has_a_guide_all_the_same():
    assert "https://t/v1/in/strange" in guide_of(Strange(), "https://t")
    assert example_of(Strange()) is None


def test_the_page_of_senders_is_what_the_code_says():
    """Run `make senders` when this fails."""
    assert (DOCS / "senders.md").read_text(encoding="utf-8") == document()
