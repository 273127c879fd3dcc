"""The declared service graph and the aliases of labels, as configured: what a deployment tells the engine. Checked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.correlation.aliases import KINDS, table

MAX_SERVICES = 20_000


class Node(BaseModel):
    """One service of a graph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: tuple[str, ...] = Field(default=(), max_length=200, description="Services that it needs; each in the graph.")


class ServiceGraph(BaseModel):
    """Which service calls which, by the names that alerts use for them. Evidence, no rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    services: dict[str, Node] = Field(max_length=MAX_SERVICES)

    @model_validator(mode="after")
    def _whole_and_without_circles(self) -> ServiceGraph:
        for name, node in self.services.items():
            for other in node.calls:
                if other not in self.services:
                    raise ValueError(
                        f"{name} calls {other}, which is not in the graph; add {other} (with empty calls) or take it out"
                    )
        circle = circle_in({name: node.calls for name, node in self.services.items()})
        if circle:
            raise ValueError(f"services call each other in a circle: {' -> '.join(circle)}; take one of the calls out")
        return self


class Aliases(BaseModel):
    """Labels of this deployment that name a kind of thing, over those that Tocsin knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    labels: dict[str, str] = Field(
        max_length=500, description=f"Label -> one of {', '.join(KINDS)}; or ignore, to read nothing from it."
    )

    @field_validator("labels")
    @classmethod
    def _known_kinds(cls, value: dict[str, str]) -> dict[str, str]:
        table(value)
        return value


def circle_in(calls: Mapping[str, Sequence[str]]) -> list[str]:
    """The first circle found, beginning and ending with the same service; empty when there is none."""
    done: set[str] = set()
    for start in calls:
        path: list[str] = []
        on_path: set[str] = set()
        waiting = [(start, False)]
        while waiting:
            name, leaving = waiting.pop()
            if leaving:
                on_path.discard(path.pop())
                done.add(name)
            elif name in on_path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                on_path.add(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in calls.get(name, ())]
    return []
