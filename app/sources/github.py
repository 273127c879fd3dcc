"""GitHub: workflow runs that fail, by a repository's or an organisation's webhook (event `workflow_run`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Received
from app.sources.fields import instant, joined, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.signature import Scheme, SignedSettings, proof_of
from app.sources.source import SourceSettings, Word

_FAILED = frozenset({"failure", "timed_out", "startup_failure"})


class GithubSettings(SignedSettings):
    """What an integration of GitHub can set."""

    branches: tuple[Word, ...] = Field(
        default=(), max_length=50, description="Whose runs count. Unset: those of the repository's default branch."
    )


_SIGNED = Scheme("X-Hub-Signature-256", "sha256=")


class Github(Dialect[GithubSettings]):
    """Workflows: a run that fails opens, the next that succeeds on its branch closes; a cancelled one says nothing."""

    kind: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub workflows"
    setup: ClassVar[str] = """
*Settings - Webhooks - Add webhook* of a repository or an organisation: payload URL `{url}`, content type `application/json`, a secret
(the same as the setting `secret` of this integration), and of the events only *Workflow runs*.
"""
    example: ClassVar[dict[str, Any]] = {
        "action": "completed",
        "workflow_run": {
            "name": "A test of the way from GitHub",
            "head_branch": "main",
            "conclusion": "failure",
            "workflow_id": 1,
        },
        "repository": {"full_name": "test/test", "default_branch": "main"},
    }
    Settings: ClassVar[type[SourceSettings]] = GithubSettings
    expected: ClassVar[str] = "a webhook's `repository` was expected"
    places: ClassVar[Places] = Places(("workflow_run.conclusion",), ("workflow_run.conclusion",))

    def proven(self, received: Received, settings: GithubSettings, now: Micros) -> str:
        """By the secret of the webhook. The time is in the body, which is signed."""
        return proof_of(received, settings, _SIGNED, now)

    def events(self, message: dict[str, Any], settings: GithubSettings, now: Micros) -> Sequence[Event] | None:
        """One run a message; every other event of GitHub is answered and means nothing."""
        repository, run = part(message, "repository"), part(message, "workflow_run")
        if not run:
            return () if repository or "zen" in message or "hook_id" in message else None
        branch, conclusion = said(run, "head_branch"), said(run, "conclusion").lower()
        wanted = settings.branches or (said(repository, "default_branch") or branch,)
        over = conclusion == "success"
        name, where = (
            said(run, "name") or said(part(message, "workflow"), "name"),
            said(repository, "full_name", "name"),
        )
        # A pull request from somebody's fork runs here too, under the name of the fork's branch.
        foreign = (said(part(run, "head_repository"), "full_name") or where) != where
        if foreign or branch not in wanted or not (over or conclusion in _FAILED):
            return ()
        at = instant(run, now, "updated_at")
        event = Event(
            status="resolved" if over else "firing",
            key=joined(where, said(run, "workflow_id") or name, branch),
            title=f"{where}: {name} failed on {branch}",
            labels={
                "alertname": name,
                "repository": where,
                "branch": branch,
                "conclusion": conclusion,
                "trigger": said(run, "event"),
            },
            annotations={
                "description": said(run, "display_title"),
                "commit": said(run, "head_sha"),
                "actor": said(part(run, "actor"), "login"),
            },
            links=links(("Run", run.get("html_url"))),
            starts_at=None if over else at,
            ends_at=at if over else None,
        )
        return (event,)
