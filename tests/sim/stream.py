"""What senders say in a run, and what people do without a page in hand."""

from __future__ import annotations

from tests.sim.script import DAY_S, Draft


def stream(draft: Draft) -> None:
    """The stream: each problem begins, is repeated, ends or does not, and comes back; some messages come out of order."""
    chance = draft.chance
    senders = len(draft.documents["integration"])
    severities = ("critical", "critical", "error", "warning", "none")
    problems = [
        (f"p{number}", chance.randrange(senders), chance.choice(severities)) for number in range(chance.randint(6, 12))
    ]
    for name, sender, severity in problems:
        at = chance.uniform(0, 0.8 * DAY_S)
        for _ in range(chance.choice((1, 1, 2, 3))):
            if at > DAY_S - 600:
                break
            at = _episode(draft, name, sender, severity, at)
    if draft.has("storm"):
        sender, start = chance.randrange(senders), chance.uniform(1_000, 0.9 * DAY_S)
        # Where each alert is an incident of its own, a storm is as many pages to as many levels.
        alone = _grouping(draft, sender) == "alert"
        names = [f"storm{number}" for number in range(chance.randint(4, 8) if alone else chance.randint(8, 25))]
        for name in names:
            draft.add(start + chance.uniform(0, 30), "post", sender, ((name, start, "firing", None, "critical", ""),))
        end = start + chance.uniform(120, 7_200)
        for place in range(0, len(names), 8):
            ended = tuple((name, start, "resolved", end, "critical", "") for name in names[place : place + 8])
            draft.add(end + chance.uniform(0, 60), "post", sender, ended)


def _grouping(draft: Draft, sender: int) -> str:
    service = int(draft.documents["integration"][sender]["service_id"].rpartition(":")[2])
    return str(draft.documents["service"][service]["grouping"]["by"])


def _episode(draft: Draft, name: str, sender: int, severity: str, at: float) -> float:
    """One episode of a problem; answers when the next one may begin."""
    chance = draft.chance
    start = round(at, 3)
    lasts = chance.choice((20, 120, 600, 1_800, 5_400, 14_400)) * chance.uniform(0.5, 1.5)
    end = round(at + lasts, 3)
    ends = chance.random() < 0.85
    late = chance.random() < 0.1
    if not late:
        draft.add(at, "post", sender, ((name, start, "firing", None, severity, ""),))
    every = chance.choice((0, 240, 600, 1_800))
    again = at + every
    while every and again < min(end, at + 12 * every, DAY_S):
        text = chance.choice(("", "", "", "the number in the text has changed"))
        draft.add(again, "post", sender, ((name, start, "firing", None, severity, text),))
        again += every
    if ends:
        draft.add(end, "post", sender, ((name, start, "resolved", end, severity, ""),))
        if chance.random() < 0.2:
            draft.add(end + chance.uniform(0, 30), "post", sender, ((name, start, "resolved", end, severity, ""),))
    if late:
        # The resolve came first; the firing it speaks of comes within what retries of senders take.
        draft.add(end + chance.uniform(1, 300), "post", sender, ((name, start, "firing", None, severity, ""),))
    return end + chance.choice((5, 60, 1_200, 7_200)) * chance.uniform(0.5, 1.5)


def twins(draft: Draft) -> None:
    """The other of a pair of Alertmanagers says the same, mostly at the same moment."""
    chance = draft.chance
    for step in tuple(draft.steps):
        draft.add(step.at + chance.choice((0, 0.001, 0.01, 2)) * chance.random(), step.what, *step.args)


def acts(draft: Draft) -> None:
    """What people do without a page in hand: from the list of incidents."""
    chance = draft.chance
    deeds = ("acknowledge", "acknowledge", "resolve", "escalate", "escalate to", "snooze", "reopen", "close", "report")
    for _ in range(chance.randint(4, 16)):
        person = chance.randrange(len(draft.documents["person"]))
        draft.add(chance.uniform(0, DAY_S), "act", person, chance.choice(deeds), round(chance.random(), 6))
