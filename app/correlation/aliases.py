"""Which labels name which kind of thing: the table that is shipped, and what a deployment adds to it. Pure.

A label name is compared in lower case with `.`, `-` and `/` as `_`. Knows no sender: senders differ in names only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["service", "host", "pod", "place", "region", "namespace", "queue", "party", "check"]
KINDS: tuple[Kind, ...] = ("service", "host", "pod", "place", "region", "namespace", "queue", "party", "check")

_SHIPPED: dict[Kind, str] = {
    "service": (
        "service service_name app application app_kubernetes_io_name app_name k8s_app kube_app deployment "
        "kube_deployment statefulset kube_stateful_set daemonset workload destination_workload "
        "destination_service_name destination_app ingress exported_ingress exported_service envoy_cluster_name proxy "
        "backend component microservice consumergroup consumer_group container container_name kube_container_name "
        "job exported_job job_name cronjob site application_name"
    ),
    "host": (
        "host hostname host_name node nodename node_name kubernetes_node kube_node instance exported_instance vm "
        "server device machine host_ip target"
    ),
    "pod": "pod pod_name kube_pod exported_pod kubernetes_pod_name",
    "place": (
        "cluster kube_cluster kube_cluster_name cluster_name k8s_cluster kubernetes_cluster eks_cluster datacenter dc "
        "site_name colo"
    ),
    "region": "region aws_region cloud_region gcp_region azure_region location",
    "namespace": (
        "namespace kube_namespace kubernetes_namespace exported_namespace destination_workload_namespace "
        "destination_service_namespace k8s_namespace"
    ),
    "queue": "queue topic exchange subscription vhost_queue",
    "party": "peer_service provider upstream external_service third_party vendor",
    "check": "alertname alert_name rulename check monitor_name check_name",
}


class Labels(dict[str, "Named | None"]):
    """What each label names, by the label as a sender writes it: read once, then looked up. Bounded."""

    def __init__(self, table: Mapping[str, Kind | None]) -> None:
        super().__init__()
        self.table = table

    def __missing__(self, label: str) -> Named | None:
        if len(self) >= MAX_LABELS:
            self.clear()
        name = plain(label)
        kind = self.table.get(name)
        made = self[label] = None if kind is None else (kind, name)
        return made


Named = tuple[Kind, str]
"""A kind of thing, and the label's name as the table has it."""
MAX_LABELS = 4_096

_BY_LABEL: dict[str, Kind] = {label: kind for kind, labels in _SHIPPED.items() for label in labels.split()}
SHIPPED = Labels(_BY_LABEL)
"""As shipped."""


def plain(label: str) -> str:
    """A label's name as the table has it."""
    return label.lower().replace(".", "_").replace("-", "_").replace("/", "_")


def table(own: Mapping[str, str]) -> Labels:
    """The shipped table with a deployment's own lines over it; `ignore` takes a label out.

    Raises ValueError for a kind that there is not.
    """
    merged: dict[str, Kind | None] = dict(_BY_LABEL)
    for label, word in own.items():
        kind = next((known for known in KINDS if known == word), None)
        if kind is None and word != "ignore":
            raise ValueError(f"{word!r} is no kind of thing a label can name; use one of {', '.join(KINDS)} or ignore")
        merged[plain(label)] = kind
    return Labels(merged)
