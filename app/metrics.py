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
        self.jobs_quarantined = Gauge(
            "tocsin_jobs_quarantined",
            "Jobs that have failed five times in a row or more: a broken row, or a bug.",
            registry=registry,
        )
        self.page_outcomes = Counter(
            "tocsin_page_outcomes",
            "Tries to send: delivered, accepted, refused, try_again, unknown.",
            ["notifier", "outcome"],
            registry=registry,
        )
        self.receipts = Counter(
            "tocsin_receipts",
            "What providers that promise receipts said later: delivered, failed, or missing after a minute.",
            ["notifier", "state"],
            registry=registry,
        )
        self.breakers_open = Gauge(
            "tocsin_breakers_open",
            "Providers that this process does not call now, because they failed five times in a row.",
            ["notifier"],
            registry=registry,
        )
        self.breaker_opened = Counter(
            "tocsin_breaker_opened",
            "How often this process stopped calling a provider that failed.",
            ["notifier"],
            registry=registry,
        )
        self.pages_put_off = Counter(
            "tocsin_pages_put_off",
            "Pages that waited for their provider: broken, or busy (its pace, or as many on their way as may be).",
            ["notifier", "why"],
            registry=registry,
        )
        self.bundled_pages = Counter(
            "tocsin_bundled_pages",
            "Pages that went out together with others in one message, because there were too many for their person.",
            ["notifier"],
            registry=registry,
        )
        self.page_delay_seconds = Histogram(
            "tocsin_page_delay_seconds",
            "From the instant a page was due to its first try.",
            buckets=_SLOW,
            registry=registry,
        )
        self.notices = Counter(
            "tocsin_notices",
            "Notices by what they are about and how they ended: sent, failed, expired.",
            ["kind", "state"],
            registry=registry,
        )
        self.notice_outcomes = Counter(
            "tocsin_notice_outcomes",
            "Tries to send a notice: delivered, accepted, refused, try_again, unknown.",
            ["notifier", "outcome"],
            registry=registry,
        )
        self.drills = Counter("tocsin_drills", "Drills that ended: answered or failed.", ["state"], registry=registry)
        self.link_opens = Counter("tocsin_link_opens", "Links opened, by person or machine.", ["by"], registry=registry)
        self.undelivered = Counter(
            "tocsin_undelivered", "Incidents whose policy ended and nobody had it.", registry=registry
        )
        self.undelivered_open = Gauge(
            "tocsin_undelivered_open_incidents",
            "Open incidents of which nobody at all could be told.",
            registry=registry,
        )
        self.paging_held_seconds = Gauge(
            "tocsin_paging_held_seconds", "For how long paging has been held back; 0: it is not.", registry=registry
        )
        self.silences_active = Gauge(
            "tocsin_silences_active",
            "Silences that are on, by what they are over: some or everything.",
            ["over"],
            registry=registry,
        )
        self.heartbeat_signals = Counter(
            "tocsin_heartbeat_signals", "Signals of heartbeats: alive or failed.", ["signal"], registry=registry
        )
        self.audit_findings = Gauge(
            "tocsin_audit_findings",
            "What the last audit found: late_jobs, expired_leases, left_away, lost_incidents. Above 0 is a fault.",
            ["kind"],
            registry=registry,
        )
        self.audited_at = Gauge(
            "tocsin_audit_last_timestamp_seconds", "When the last audit came to its end.", registry=registry
        )
        self.repairs = Counter(
            "tocsin_audit_repairs", "Incidents whose paging had stopped and goes on now.", registry=registry
        )
        self.synthetic_page_seconds = Histogram(
            "tocsin_synthetic_page_seconds",
            "From the ingest of a synthetic page to its sending.",
            buckets=_SLOW,
            registry=registry,
        )
        self.synthetic_page_failures = Counter(
            "tocsin_synthetic_page_failures", "Synthetic pages that did not arrive.", registry=registry
        )
        self.synthetic_arrived_at = Gauge(
            "tocsin_synthetic_page_last_timestamp_seconds",
            "When the last synthetic page arrived, whichever replica sent it.",
            registry=registry,
        )
        self.heartbeat_sent_at = Gauge(
            "tocsin_heartbeat_sent_timestamp_seconds",
            "When this process last told the outside that all is well.",
            registry=registry,
        )
        self.loop_lag_seconds = Gauge(
            "tocsin_loop_lag_seconds",
            "How late the event loop woke up, at most, within the last minute.",
            registry=registry,
        )
        self.last_progress = Gauge(
            "tocsin_worker_last_progress_timestamp_seconds",
            "When the paging worker last went round.",
            registry=registry,
        )
