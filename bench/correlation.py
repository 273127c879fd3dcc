"""How well alerts become incidents: streams with a known truth through `tocsin replay`, and figures beside the goals.

    python3 dev.py bench-correlation FOLDER [FOLDER ...] [--ways at-once held learned graph]

Each folder is named SIZE-SEED and has `stream.jsonl` (what `tocsin replay` reads), `truth.json` and `topology.json`, a graph:

    truth.json  {"meta": {"alerts": n, "hours": h}, "faults": [{"id", "page", "first_page_at"}],
                 "episodes": {name: {"fault": id}}}      faults whose `page` is true deserve one page

A page is one call, about one incident or several; of one about more than ten, ten count as told. A fault is found when an
incident of which it is the largest part was paged. B-cubed F1 weighs every alert the same, fault F1 every fault.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

TOLD = 10
DAY_S = 86_400
_HELD = ("--hold-alone", "75", "--hold-confirmed", "20")
WAYS: dict[str, tuple[str, ...]] = {
    "at-once": (),
    "held": _HELD,
    "learned": (*_HELD, "--hold-learned"),
    "graph": (*_HELD, "--hold-learned", "--graph"),
}
"""When first pages go out; `graph`: as learned, and with the graph declared."""
SHOWN = (
    "faults",
    "found",
    "nobody_told",
    "pages",
    "per_fault",
    "false",
    "false_last_day",
    "b3_f1",
    "fault_f1",
    "wait_p50_s",
    "wait_p95_s",
)


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, between the two nearest values; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    at = (len(ordered) - 1) * q
    low = int(at)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (at - low)


def figures(truth: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, float]:
    """What a result is worth, by the truth."""
    went = result["alert_to_incident"]
    pairs = Counter((one["fault"], went.get(name) or f"alone {name}") for name, one in truth["episodes"].items())
    of_fault, of_incident = Counter[str](), Counter[str]()
    for (fault, incident), many in pairs.items():
        of_fault[fault] += many
        of_incident[incident] += many
    everything = sum(pairs.values())
    precision = sum(many * many / of_incident[incident] for (_, incident), many in pairs.items()) / everything
    recall = sum(many * many / of_fault[fault] for (fault, _), many in pairs.items()) / everything
    worth = {one["id"]: one for one in truth["faults"] if one["page"] and one["id"] in of_fault}
    best: dict[str, float] = defaultdict(float)
    parts: dict[str, list[tuple[int, bool, str]]] = defaultdict(list)
    for (fault, incident), many in pairs.items():
        best[fault] = max(best[fault], 2 * many / (of_fault[fault] + of_incident[incident]))
        parts[incident].append((many, fault in worth, fault))
    owner = {incident: max(those)[2] for incident, those in parts.items()}
    told = _told(result["pages"], owner, parts, set(worth))
    last_day = truth["meta"]["hours"] * 3600 - DAY_S
    waits = [max(0.0, at - worth[fault]["first_page_at"]) for fault, at in told.first.items()]
    return {
        "faults": len(worth),
        "found": len(told.first),
        "nobody_told": len(set(worth) - told.touched),
        "pages": len(result["pages"]),
        "per_fault": sum(told.owned.values()) / max(1, len(told.owned)),
        "false": len(told.false),
        "false_last_day": sum(at >= last_day for at in told.false),
        "b3_f1": 2 * precision * recall / (precision + recall),
        "fault_f1": mean(best[fault] for fault in worth) if worth else 0.0,
        "wait_p50_s": quantile(waits, 0.5),
        "wait_p95_s": quantile(waits, 0.95),
    }


class Told:
    """Which faults were told, when first, and how many pages each owns."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.owned: dict[str, float] = defaultdict(float)
        self.touched: set[str] = set()
        self.false: list[float] = []
        """When somebody was called for no fault that is worth it."""


def _told(
    pages: Sequence[Mapping[str, Any]],
    owner: Mapping[str, str],
    parts: Mapping[str, Sequence[tuple[int, bool, str]]],
    worth: set[str],
) -> Told:
    told = Told()
    for page in sorted(pages, key=lambda one: one["at"]):
        about = page["incidents"][:TOLD] if "incidents" in page else [page["incident"]]
        owners = {owner[one] for one in about if one in owner} & worth
        told.touched |= {fault for one in about for _, deserves, fault in parts.get(one, ()) if deserves}
        if not owners:
            told.false.append(page["at"])
        for fault in owners:
            told.owned[fault] += 1 / len(owners)
            told.first.setdefault(fault, page["at"])
    return told


def replayed(folder: Path, out: Path, options: Sequence[str]) -> dict[str, Any]:
    """What the pipeline makes of a stream."""
    graph = ["--graph", str(folder / "topology.json")] if "--graph" in options else []
    rest = [one for one in options if one != "--graph"]
    command = [sys.executable, "-m", "app", "replay", str(folder / "stream.jsonl"), "--out", str(out), *rest, *graph]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def main() -> None:
    """Prints one line a stream and way, and the median of each size and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    asked = parser.parse_args()
    rows: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    print("| stream | first pages | " + " | ".join(SHOWN) + " |\n|---|---" + "|---:" * len(SHOWN) + "|")
    with tempfile.TemporaryDirectory(prefix="bench-correlation-") as temporary:
        for folder in asked.folders:
            for way in asked.ways:
                result = replayed(folder, Path(temporary, "result.json"), WAYS[way])
                row = figures(json.loads((folder / "truth.json").read_text()), result)
                rows[folder.name.rpartition("-")[0], way].append(row)
                _print(folder.name, way, [_number(row[one]) for one in SHOWN])
    for (size, way), found in rows.items():
        _print(f"{size}, {len(found)} streams", way, [_spread([row[one] for row in found]) for one in SHOWN])


def _spread(values: Sequence[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))}-{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _print(name: str, way: str, cells: Sequence[str]) -> None:
    print(f"| {name} | {way} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
