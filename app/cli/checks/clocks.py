"""Whether this machine's time can be believed: against its own steady count, the newest row, and the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.cli.checks.finding import Finding, ok, warn, wrong
from app.clock import SECOND, Clock, Micros, iso, to_datetime

ABOUT: Final = "clock"
SMALL_SKEW_S: Final = 1.0
LARGE_SKEW_S: Final = 10.0
EARLIEST: Final[Micros] = 1_767_225_600 * SECOND
"""2026-01-01: before this version was written. A machine that says so has a flat battery."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks of this machine at one instant."""

    wall: Micros
    steady_s: float


def read(clock: Clock) -> Reading:
    """Now."""
    return Reading(clock.now(), clock.monotonic())


def judge_machine(start: Reading, end: Reading) -> Finding:
    """Did the wall clock go as the steady one did, and is it after this program was written?"""
    if end.wall < EARLIEST:
        return wrong(
            ABOUT, f"this machine says it is {iso(end.wall)}", "set its clock: links and schedules depend on it"
        )
    stepped_s = (end.wall - start.wall) / SECOND - (end.steady_s - start.steady_s)
    if abs(stepped_s) > SMALL_SKEW_S / 2:
        return warn(
            ABOUT, f"the clock was set by {stepped_s:+.1f} s while the doctor looked", "let NTP slew it, not step"
        )
    return ok(ABOUT, f"{iso(end.wall)}, steady")


def judge_newest(newest: Micros | None, now: Micros) -> list[Finding]:
    """Is there a row from the future? Then the clock went back, or another replica's runs ahead."""
    ahead_s = ((newest or 0) - now) / SECOND
    if ahead_s <= SMALL_SKEW_S:
        return []
    mark = wrong if ahead_s > LARGE_SKEW_S else warn
    return [
        mark(ABOUT, f"the newest row was written {ahead_s:.0f} s in the future", "run NTP on every machine of Tocsin")
    ]


def judge_database(before: Micros, told: Micros, after: Micros) -> Finding:
    """How far the database's clock is from ours, as near as one question and its answer can tell."""
    skew_s = max(told - after, before - told, 0) / SECOND
    if skew_s <= SMALL_SKEW_S:
        return ok(ABOUT, "this machine and the database agree")
    mark = wrong if skew_s > LARGE_SKEW_S else warn
    side = "ahead of" if told > after else "behind"
    return mark(ABOUT, f"the database's clock is {skew_s:.1f} s {side} this machine's", "run NTP on both")


def judge_zones(version: str, now: Micros) -> Finding:
    """Are the rules of time zones of this year or the last?"""
    about = "time zones"
    if version[:4].isdigit() and int(version[:4]) < to_datetime(now).year - 1:
        return warn(about, f"tzdata {version} is old: shifts may change at the wrong hour", "upgrade Tocsin")
    return ok(about, f"tzdata {version}")
