"""Jenkins: the Notification plugin's JSON, and the flat fields of the step in the set-up page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity
from app.sources.fields import instant, joined, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

_SEVERITIES: dict[str, Severity] = {"FAILURE": "error", "UNSTABLE": "warning"}
_OVER = frozenset({"SUCCESS", "FIXED"})


class Jenkins(Dialect[SourceSettings]):
    """Builds of Jenkins: a failed one opens, the next that succeeds closes; one that was aborted says nothing."""

    kind: ClassVar[str] = "jenkins"
    title: ClassVar[str] = "Jenkins"
    setup: ClassVar[str] = """
With the *Notification* plugin: in the job *Job Notifications - Add endpoint*: format JSON, protocol HTTP, event *Job Finalized*, URL
`{url}`. In a pipeline without it:

```groovy
post { always { withEnv(["RESULT=${currentBuild.currentResult}"]) {
  sh 'curl -fsS --retry 3 -H "X-Tocsin-Key: {key}" -d job="$JOB_NAME" -d number="$BUILD_NUMBER" -d url="$BUILD_URL" -d status="$RESULT" {base}'
} } }
```
"""
    example: ClassVar[dict[str, Any]] = {"job": "A test of the way from Jenkins", "status": "FAILURE", "number": "1"}
    expected: ClassVar[str] = "`name` with `build`, or `job` with `status` was expected"
    places: ClassVar[Places] = Places((), ("build.status", "status"))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One build a message."""
        build = part(message, "build") or message
        name = said(message, "display_name", "job", "name")
        status = said(build, "status", "result").upper()
        if not name or not (status or said(build, "phase")):
            return None
        over = status in _OVER
        if not over and status not in _SEVERITIES:
            return ()
        branch, number = said(part(build, "scm"), "branch") or said(build, "branch"), said(build, "number")
        # The plugin's times are when the build began; the result is from when the message came.
        at = instant(build, now, "time")
        job = said(message, "url") if build is not message else ""
        event = Event(
            status="resolved" if over else "firing",
            key=joined(job, name, branch),
            title=f"{name} ({branch}) failed" if branch else f"{name} failed",
            severity=_SEVERITIES.get(status, "error"),
            labels={"alertname": name, "branch": branch, "result": status},
            annotations={
                "build": number,
                "commit": said(part(build, "scm"), "commit") or said(build, "commit"),
                "description": said(build, "log", "notes"),
            },
            links=links(("Build", said(build, "full_url") or said(build, "url"))),
            starts_at=None if over else at,
            ends_at=at if over else None,
        )
        if not over or not branch:
            return (event,)
        # A build that failed before its checkout could not name the branch.
        return (event, event._replace(key=joined(job, name, "")))
