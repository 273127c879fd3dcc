"""What the API, a notice and the doctor say of what was found ahead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from app.clock import Micros
from app.oncall.wording import span, when
from app.rota.reach import MOST_CAUSES, Finding, FindingKind, names_in_words

SHOWN = 5
"""More findings than these are counted in a notice, not listed."""

WHAT_TO_DO: dict[FindingKind, str] = {
    "nobody": "Add a layer or an override, or give the policy a fallback that somebody can be reached by.",
    "unverified": "Ask them to verify a contact method: Tocsin sends a code there, and they read it back.",
    "same_person": "Put somebody else on one of the levels.",
}
"""As it stands below what was found."""
_TITLES: dict[FindingKind, str] = {
    "nobody": "Nobody will be reached by policy",
    "unverified": "Only unverified contact methods will be used by policy",
    "same_person": "Every level will reach the same person by policy",
}
_TITLES_NOW: dict[FindingKind, str] = {
    "nobody": "Nobody is reached by policy",
    "unverified": "Only unverified contact methods are used by policy",
    "same_person": "Every level reaches the same person by policy",
}


def sentence(finding: Finding, zone: str, until: Micros) -> str:
    """A finding of a look until this instant, on the clock of a zone."""
    times = (
        f"From {when(finding.starts_at, zone)}"
        if finding.ends_at >= until
        else span(finding.starts_at, finding.ends_at, zone)
    )
    match finding.kind:
        case "nobody":
            causes = ", then ".join(finding.causes[:MOST_CAUSES])
            return f"{times}, nobody is reached: {causes}; {finding.fallback}."
        case "unverified":
            people = names_in_words(finding.causes)
            return f"{times}, only people are reached who have not verified a contact method: {people}."
        case "same_person":
            return f"{times}, every level reaches one and the same person: {names_in_words(finding.causes)}."
        case _:
            assert_never(finding.kind)


def notice_text(
    policy: str, found: Sequence[tuple[FindingKind, Micros, str]], zone: str, now: Micros
) -> tuple[str, str]:
    """One notice of what was found of a policy: each a kind, its start and its sentence, the first of them at least."""
    kind, starts_at, _ = found[0]
    titles = _TITLES if starts_at > now else _TITLES_NOW
    since = f" from {when(starts_at, zone)}" if starts_at > now else ""
    more = f" ({len(found)} findings)" if len(found) > 1 else ""
    lines = [f"- {said}" if len(found) > 1 else said for _, _, said in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"- and {len(found) - SHOWN} more")
    todo = [WHAT_TO_DO[one] for one in dict.fromkeys(kind for kind, _, _ in found)]
    return f"{titles[kind]} {policy!r}{since}{more}", "\n".join([*lines, *todo])


def warnings(policy: str, found: Sequence[Finding], zone: str, until: Micros) -> list[str]:
    """What somebody who saves should know: of each kind the first time, and how many more there are."""
    told = []
    for kind in dict.fromkeys(one.kind for one in found):
        same = [one for one in found if one.kind == kind]
        more = len(same) - 1
        also = f" And {more} more such time{'s' if more > 1 else ''} until {when(until, zone)}." if more else ""
        told.append(f"Policy {policy!r}: {sentence(same[0], zone, until)}{also}")
    return told
