"""Settings: documented to the last one, and a misspelt or impossible one is named before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.environment import read_settings, unknown_variables
from app.cli.settings import document
from app.cli.storage import explained
from app.cli.trouble import Trouble
from app.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """As if nothing were set, whatever the machine of the tests has."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TOCSIN_{name.upper()}", raising=False)


def test_the_page_of_settings_is_what_the_code_says():
    """Run `make settings` when this fails."""
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_has_a_row_with_a_meaning(name):
    row = re.search(rf"^\| `TOCSIN_{name.upper()}` \| (.+) \| (.+) \|$", document(), re.MULTILINE)
    assert row
    assert len(row[2]) > 10


def test_no_page_of_the_docs_names_a_setting_that_does_not_exist():
    known = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
    root = DOCS.parent
    pages = [*DOCS.rglob("*.md"), *root.glob("*.md"), root / "Dockerfile", root / "compose.yaml"]
    named = {name for page in pages for name in re.findall(r"TOCSIN_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8"))}
    assert named <= known


@pytest.mark.parametrize(
    ("misspelt", "closest"),
    [
        ("TOCSIN_DATABSE_URL", "TOCSIN_DATABASE_URL"),
        ("TOCSIN_SMTPURL", "TOCSIN_SMTP_URL"),
        ("TOCSIN_PORTS", "TOCSIN_PORT"),
        ("TOCSIN_LOGLEVEL", "TOCSIN_LOG_LEVEL"),
    ],
)
def test_a_variable_that_is_no_setting_is_named_with_the_closest_one(misspelt, closest):
    (sentence,) = unknown_variables([misspelt, "PATH", "TOCSIN_HOST"], Settings.model_fields)
    assert misspelt in sentence
    assert f"did you mean {closest}?" in sentence


def test_a_variable_like_no_setting_at_all_is_named_too():
    (sentence,) = unknown_variables(["TOCSIN_XYZZY"], Settings.model_fields)
    assert "TOCSIN_XYZZY is set, but there is no such setting" in sentence


def test_what_kubernetes_adds_for_a_service_of_that_name_stops_nothing():
    added = ["TOCSIN_SERVICE_HOST", "TOCSIN_SERVICE_PORT", "TOCSIN_SERVICE_PORT_HTTP", "TOCSIN_PORT_8080_TCP_ADDR"]
    assert unknown_variables(added, Settings.model_fields) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "web", "TOCSIN_PORT: .*integer"),
        ("PORT", "70000", "TOCSIN_PORT: .*65535"),
        ("LOG_FORMAT", "xml", "TOCSIN_LOG_FORMAT is 'xml'; it must be one of auto, json, console"),
        ("LOG_LEVEL", "loud", "TOCSIN_LOG_LEVEL is 'loud'; it must be one of"),
        ("DATABASE_URL", "tocsin.db", "TOCSIN_DATABASE_URL can't be read; it must be sqlite:///FILE or"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d", "TOCSIN_DATABASE_URL starts with mysql://; it must be"),
        ("DATABASE_URL", "postgresql+asyncpg://u:s3cret@h:port/d", "TOCSIN_DATABASE_URL can't be read"),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://u:s3cret@h/d?application_name=x",
            "application_name=, which .* ssl=require",
        ),
        ("DATABASE_URL", "sqlite://", "TOCSIN_DATABASE_URL names no file"),
        ("DATABASE_URL", "sqlite:///:memory:", "TOCSIN_DATABASE_URL names no file"),
        ("PUBLIC_URL", "tocsin.example.com", "TOCSIN_PUBLIC_URL must be a plain http or https URL"),
        ("SMTP_URL", "mail://u:s3cret@h", "TOCSIN_SMTP_URL is not smtp://"),
        ("SMTP_FROM", "nobody", "TOCSIN_SMTP_FROM must be an address"),
        ("OUTBOUND_ALLOW", "10.0.0.0/8,not a host", "TOCSIN_OUTBOUND_ALLOW: 'not a host'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_and_never_repeats_a_secret(monkeypatch, name, value, says):
    monkeypatch.setenv(f"TOCSIN_{name}", value)
    with pytest.raises(Trouble, match=says) as trouble:
        read_settings()
    assert "s3cret" not in trouble.value.message


def test_a_port_that_kubernetes_set_is_explained(monkeypatch):
    monkeypatch.setenv("TOCSIN_PORT", "tcp://10.1.2.3:8080")
    with pytest.raises(Trouble, match="enableServiceLinks: false"):
        read_settings()


def test_an_address_of_version_6_makes_a_link_that_opens():
    assert Settings(host="::1", port=8080).base_url == "http://[::1]:8080"


def test_a_file_that_may_not_be_looked_at_is_named():
    """The driver looks for certificates in the home folder; a service may have one that it can't enter."""
    error = PermissionError(13, "Permission denied", "/home/tocsin/.postgresql/postgresql.key")
    assert "Permission denied: /home/tocsin/.postgresql/postgresql.key" in explained(Settings(), error)


def test_an_option_goes_before_its_variable(monkeypatch):
    monkeypatch.setenv("TOCSIN_PORT", "9000")
    assert read_settings(port=None).port == 9000
    assert read_settings(port=9001).port == 9001
