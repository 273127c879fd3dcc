"""What an alert is about: the same thing has the same name, whatever a sender calls it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.correlation.aliases import table
from app.correlation.entities import MAX_NAMES, MAX_WORDS, Facets, facets
from app.sources.event import Event


def _facets(title: str = "Trouble", description: str = "", owner: str = "", **labels: str) -> Facets:
    event = Event("firing", "k", title, labels=labels, annotations={"description": description})
    return facets(event, "00", "sender", owner)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({"service": "cart-api"}, "service:cart-api"),
        ({"app_kubernetes_io_name": "cart-api"}, "service:cart-api"),
        ({"app.kubernetes.io/name": "Cart-API"}, "service:cart-api"),
        ({"job": "cart-api"}, "service:cart-api"),
        ({"deployment": "cart-api", "job": "kube-state-metrics"}, "service:cart-api"),
        ({"ingress": "cart-api", "host": "cart-api.example.net"}, "service:cart-api"),
        ({"destination_workload": "cart-api"}, "service:cart-api"),
        ({"envoy_cluster_name": "outbound|80||cart-api.shop.svc.cluster.local"}, "service:cart-api"),
        ({"proxy": "be_cart-api"}, "service:cart-api"),
        ({"service": "cart-api-http@kubernetes"}, "service:cart-api"),
        ({"instance": "https://cart-api.example.net/healthz", "job": "blackbox"}, "service:cart-api"),
        ({"pod": "cart-api-6d4b75cb6d-hx2p9"}, "service:cart-api"),
        ({"pod": "cart-db-0"}, "service:cart-db"),
        ({"job_name": "cart-api-nightly-28812"}, "service:cart-api"),
        ({"instance": "db-3:9187", "job": "postgres-exporter"}, "host:db-3"),
        ({"host": "db-3.eu.int.example.net"}, "host:db-3"),
        ({"instance": "10.0.0.7:9100"}, "ip:10.0.0.7"),
        ({"host_ip": "10.0.0.7"}, "ip:10.0.0.7"),
        ({"topic": "orders.in"}, "queue:orders.in"),
        ({"peer.service": "cardnet"}, "party:cardnet"),
        ({"kube_namespace": "shop"}, "namespace:shop"),
    ],
)
def test_one_thing_has_one_name(labels: dict[str, str], name: str) -> None:
    assert name in _facets(**labels).names


@pytest.mark.parametrize("labels", [{"job": "node-exporter"}, {"queue": "default"}, {"service": "none"}, {"app": ""}])
def test_what_names_nothing_in_particular_is_no_name(labels: dict[str, str]) -> None:
    assert _facets(**labels).names == ()


@pytest.mark.parametrize("front", [{"proxy": "be_cart"}, {"ingress": "cart"}])
def test_what_a_proxy_says_of_what_is_behind_it_is_not_about_the_proxys_host(front: dict[str, str]) -> None:
    assert _facets(instance="haproxy:8404", **front).names == ("service:cart",)


def test_a_host_knows_its_group() -> None:
    assert "group:cart-db-eu" in _facets(host="cart-db-eu-2").names


def test_the_place_is_the_cluster_else_the_region_else_the_sender() -> None:
    assert _facets(kube_cluster="Otter", region="eu").place == "otter"
    assert _facets(region="eu").place == "eu"
    assert _facets(service="cart").place == "sender"


def test_an_alert_that_names_nothing_is_about_the_service_of_its_integration() -> None:
    assert _facets(owner="Checkout", team="shop").names == ("at:checkout@sender",)
    assert _facets(owner="Checkout", host="web").names == ("host:web",)


def test_a_check_is_the_same_on_two_hosts() -> None:
    one = _facets("Disk full on db-3", host="db-3")
    other = _facets("Disk full on db-4", host="db-4")
    assert one.check == other.check == "disk full on"


def test_words_of_the_text_may_be_names() -> None:
    assert "orders-db" in _facets(description="Calls to orders-db fail or time out.").words


def test_a_deployments_own_aliases_come_before_the_shipped_ones() -> None:
    own = table({"x-system": "service", "job": "ignore"})
    event = Event("firing", "k", "t", labels={"X.System": "cart", "job": "batch"})
    assert facets(event, "00", "sender", "", own).names == ("service:cart",)


def test_an_alias_for_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'sytem' is no kind.*use one of service, host"):
        table({"x": "sytem"})


TEXT = st.text(max_size=300)


@given(TEXT, TEXT, st.dictionaries(st.sampled_from(["service", "instance", "pod", "job", "host"]) | TEXT, TEXT))
def test_hostile_text_is_read_within_bounds(title: str, description: str, labels: dict[str, str]) -> None:
    event = Event("firing", "k", title, labels=labels, annotations={"description": description})
    found = facets(event, "00", "s")
    assert len(found.names) <= MAX_NAMES
    assert len(found.words) <= MAX_WORDS
