"""Every metric there is, in one place. Label values come from closed sets: never an incident, a person or an address."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The metrics of one process, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.ingest_requests = Counter(
            "tocsin_ingest_requests",
            "Requests of senders, by kind of sender and HTTP status.",
            ["kind", "status"],
            registry=registry,
        )
        self.ingest_events = Counter(
            "tocsin_ingest_events",
            "What events did: first, repeated, resolved, orphan_resolve, ...",
            ["change"],
            registry=registry,
        )
        self.ingest_seconds = Histogram(
            "tocsin_ingest_seconds", "From a request's first byte to its answer.", buckets=_QUICK, registry=registry
        )
        self.ingest_waiting = Gauge(
            "tocsin_ingest_waiting_requests", "Requests waiting to be committed.", registry=registry
        )
        self.incidents_opened = Counter("tocsin_incidents_opened", "Incidents opened by alerts.", registry=registry)
        self.jobs_due = Gauge("tocsin_jobs_due", "Jobs that are due and not being worked on.", registry=registry)
        self.oldest_due_seconds = Gauge(
            "tocsin_oldest_due_seconds",
            "How long the oldest due job has waited. Above 60 something is wrong.",
            registry=registry,
        )
        self.job_failures = Counter(
            "tocsin_job_failures", "Jobs that failed and were put back.", ["kind"], registry=registry
        )
        self.page_outcomes = Counter(
            "tocsin_page_outcomes",
            "Tries to send: delivered, accepted, refused, try_again, unknown.",
            ["notifier", "outcome"],
            registry=registry,
        )
        self.page_delay_seconds = Histogram(
            "tocsin_page_delay_seconds",
            "From the instant a page was due to its first try.",
            buckets=_SLOW,
            registry=registry,
        )
        self.link_opens = Counter("tocsin_link_opens", "Links opened, by person or machine.", ["by"], registry=registry)
        self.undelivered = Counter(
            "tocsin_undelivered", "Incidents whose policy ended and nobody had it.", registry=registry
        )
        self.loop_lag_seconds = Gauge(
            "tocsin_loop_lag_seconds",
            "How late the event loop woke up, at most, since the last reading.",
            registry=registry,
        )
        self.last_progress = Gauge(
            "tocsin_worker_last_progress_timestamp_seconds",
            "When the paging worker last went round.",
            registry=registry,
        )
