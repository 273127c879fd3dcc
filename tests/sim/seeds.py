"""From a seed to a script: all that is left to chance in a run, drawn before it begins."""

from __future__ import annotations

import random

from tests.sim import faults
from tests.sim.chance import chance as by_name
from tests.sim.configuration import configure, edits
from tests.sim.script import DAY_S, Draft, Script
from tests.sim.stream import acts, stream, twins

FEATURES = (
    "alerts by label", "storm", "twins", "edits", "acts", "races", "strangers", "fallbacks", "watching", "holds",
    *faults.FEATURES,
)  # fmt: skip
"""`twins`: a pair of senders says everything twice. `races`: people answer when something else is about to happen.
`watching`: each process audits itself and sends a synthetic page now and then. `holds`: paging is held back for a while.
`receipts`: a provider says later what became of a page.
`joint acks`: some levels each of their people must acknowledge."""


def write(seed: int) -> Script:
    """The script of a seed."""
    chance = random.Random(f"tocsin {seed}")
    # Half of what may happen, chosen anew for each seed: a run with everything in it hides what two things do together.
    features = {feature for feature in FEATURES if chance.random() < 0.55}
    if chance.random() < 0.6:
        features.discard("watching")  # dear: a synthetic page goes all the way
    # Chosen past the draws of the others, so that days without it are what they were before.
    features |= {feature for feature in ("receipts", "joint acks") if by_name(seed, feature) < 0.4}
    draft = Draft(chance, features)
    configure(draft)
    stream(draft)
    if draft.has("twins"):
        twins(draft)
    if draft.has("edits"):
        edits(draft)
    if draft.has("acts"):
        acts(draft)
    if draft.has("strangers"):
        for _ in range(3):
            draft.add(chance.uniform(0, DAY_S), "stranger", chance.choice(("key", "link", "old link")))
    if draft.has("holds") and chance.random() < 0.3:
        draft.add(chance.uniform(0, 0.9 * DAY_S), "hold", chance.choice((60, 900, 3_600)) * chance.uniform(0.5, 1.5))
    faults.write(draft)
    order = ("person", "team", "schedule", "channel", "policy", "service", "integration")
    documents = tuple((kind, document) for kind in order for document in draft.documents.get(kind, ()))
    steps = tuple(sorted(draft.steps, key=lambda step: step.at))
    return Script(seed, 2 if draft.has("replicas") else 1, documents, steps, tuple(sorted(features)))
