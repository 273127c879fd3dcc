"""Answering a page by its link: looking changes nothing, pressing acts once, and a link that is not ours opens nothing."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser

from app.api.forms import MAX_FORM
from app.clock import HOUR, MINUTE, SECOND
from app.incidents import respond
from app.paging import links
from tests.harness.link_world import PHONE, PRESS, Holder, LinkWorld, buttons, link_world

SCANNERS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1",
    "WhatsApp/2.23.20.0 A",
    "TelegramBot (like TwitterBot)",
    "Twitterbot/1.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.10730; Pro)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Barracuda Sentinel (EE)",
    "ProofPoint URL Defense",
    "Mimecast-URL-Protect/1.0",
    "python-requests/2.32.5",
    "Go-http-client/2.0",
    "curl/8.14.1",
)

TABLES = ("incidents", "timeline", "alerts", "pages", "attempts", "jobs", "resources")


async def _everything(story: LinkWorld) -> dict[str, list[tuple[object, ...]]]:
    return {table: [tuple(row) for row in await story.rows(f"SELECT * FROM {table} ORDER BY 1")] for table in TABLES}


async def test_twelve_and_more_scanners_open_every_link_by_get_and_head_and_change_nothing(database: str) -> None:
    """Not even when they open each link that the page itself contains."""
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        before = await _everything(story)
        shown = await story.opens(ana)
        inside = [story.token(ana, action) for action in links.ACTIONS]
        inside += buttons(shown.text, story.world.secret, story.clock.now()).values()
        for agent in SCANNERS:
            for token in inside:
                for method in ("GET", "HEAD"):
                    answer = await story.web.request(method, f"/a/{token}", headers={**PHONE, "user-agent": agent})
                    assert answer.status_code == 200
        assert await _everything(story) == before
        assert not story.world.wake.is_set()


async def test_machines_are_logged_apart_from_people(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        await story.opens(ana)
        await story.opens(ana, **{"user-agent": SCANNERS[0]})
        await story.web.head(f"/a/{story.token(ana)}", headers=PHONE)
        rows = await story.rows('SELECT recipient, action, "by", why, user_agent FROM link_opens ORDER BY id')
        assert [(row.by, row.why) for row in rows] == [
            ("person", "it asked as a browser does"),
            ("machine", "Slack's link preview"),
            ("machine", "it asked with HEAD"),
        ]
        assert {(row.recipient, row.action) for row in rows} == {("Ana", "acknowledge")}
        assert rows[0].user_agent == PHONE["user-agent"]
        counted = story.world.metrics.registry.get_sample_value
        assert counted("tocsin_link_opens_total", {"by": "person"}) == 1
        assert counted("tocsin_link_opens_total", {"by": "machine"}) == 2


async def test_at_most_fifty_visits_are_kept_and_scanners_leave_room_for_people(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        for agent in [SCANNERS[0]] * 60 + [PHONE["user-agent"]] * 60:
            answer = await story.opens(ana, **{"user-agent": agent})
            assert answer.status_code == 200
        rows = await story.rows('SELECT "by" FROM link_opens')
        assert sorted(row.by for row in rows) == ["machine"] * 25 + ["person"] * 25


async def test_the_button_acknowledges_and_shows_that_you_have_it(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        shown = await story.opens(ana)
        assert "Nobody has it yet" in shown.text
        answer = await story.presses(ana)
        incident = await story.now()
        assert (incident.state, incident.acknowledged_by, incident.escalation) == ("acknowledged", "Ana", "stopped")
        assert story.world.wake.is_set()
        after = await story.follows(answer)
        assert after.status_code == 200
        assert str(after.url).startswith(f"http://tocsin.test/a/{story.token(ana)}?")
        assert "You have it" in after.text
        assert "acknowledge" not in buttons(after.text, story.world.secret, story.clock.now())


async def test_a_bare_post_to_the_link_acknowledges_without_any_form(database: str) -> None:
    """What a button in a notification sends."""
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        answer = await story.web.post(f"/a/{story.token(ana)}")
        assert answer.status_code == 303
        assert (await story.now()).acknowledged_by == "Ana"


async def test_acknowledging_twice_changes_nothing_the_second_time(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        first, second = [await story.web.post(f"/a/{story.token(ana)}", headers=PRESS) for _ in range(2)]
        assert (first.status_code, second.status_code) == (303, 303)
        assert "You had done that already" in (await story.follows(second)).text
        kinds = [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")]
        assert kinds == ["triggered", "acknowledged"]


async def test_of_many_presses_at_the_same_moment_one_wins_and_nobody_takes_it_from_them(database: str) -> None:
    async with link_world(database) as story:
        people = [await story.person(name) for name in ("Ana", "Ben", "Cat", "Dan", "Eva")]
        await story.incident("DiskFull")
        answers = await asyncio.gather(
            *(story.web.post(f"/a/{story.token(one)}", headers=PRESS) for one in people for _ in range(3))
        )
        holder = (await story.now()).acknowledged_by
        for place, answer in enumerate(answers):
            won = people[place // 3].name == holder
            assert answer.status_code == (303 if won else 409)
            assert won or f"<bdi>{holder}</bdi> has it" in answer.text
        assert len(await story.rows("SELECT 1 FROM timeline WHERE kind = 'acknowledged'")) == 1


async def test_a_page_opened_before_somebody_else_had_it_does_not_take_it_away(database: str) -> None:
    """It says who has it and since when, and offers to take over; only that takes it over."""
    async with link_world(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        await story.incident("DiskFull")
        await story.presses(ben)
        story.clock.move_to(story.clock.now() + 7 * MINUTE)
        late = await story.web.post(f"/a/{story.token(ana)}", headers=PRESS)
        assert late.status_code == 409
        assert "Somebody was faster" in late.text
        assert "<bdi>Ben</bdi> has it" in late.text
        assert "For 7 min." in late.text
        assert (await story.now()).acknowledged_by == "Ben"
        shown = await story.opens(ana)
        assert "Take over" in shown.text
        # Nobody's incident is silenced over their head.
        assert "snooze" not in buttons(shown.text, story.world.secret, story.clock.now())
        answer = await story.presses(ana)
        assert "You have it" in (await story.follows(answer)).text
        assert (await story.now()).acknowledged_by == "Ana"
        last = (await story.rows("SELECT reason FROM timeline ORDER BY id DESC LIMIT 1"))[0]
        assert last.reason == "Ana has it (taken over from Ben)"


async def test_snooze_is_quiet_for_as_long_as_chosen_and_pages_again(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana", "Europe/Berlin")
        for minutes in (15, 60, 240):
            about = await story.incident("DiskFull")
            answer = await story.presses(ana, "snooze", minutes=str(minutes))
            incident = await story.now()
            assert (incident.state, incident.acknowledged_by) == ("acknowledged", "Ana")
            assert incident.ack_until == story.clock.now() + minutes * MINUTE
            waiting = await story.rows("SELECT kind, due_at FROM jobs WHERE subject = :id", id=about.id)
            assert [(row.kind, row.due_at) for row in waiting] == [("ack_expiry", incident.ack_until)]
            assert "It pages again at" in (await story.follows(answer)).text


async def test_escalate_asks_nothing_and_pages_the_next_level_at_once(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        answer = await story.presses(ana, "escalate")
        assert "The next level is being paged now" in (await story.follows(answer)).text
        waiting = await story.rows("SELECT kind, due_at FROM jobs")
        assert [(row.kind, row.due_at) for row in waiting] == [("escalate", story.clock.now())]


async def test_resolve_says_how_and_ends_the_alerts(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        for how, words in (("fix", "Fixed"), ("workaround", "Worked around"), ("false_alarm", "A false alarm")):
            about = await story.incident("DiskFull")
            answer = await story.presses(ana, "resolve", resolution=how)
            incident = await story.now()
            assert (incident.state, incident.resolution, incident.resolved_by) == ("resolved", how, "Ana")
            after = await story.follows(answer)
            assert f"{words}, says Ana" in after.text
            assert buttons(after.text, story.world.secret, story.clock.now()) == {}
            ended = await story.rows("SELECT resolved_by FROM alerts WHERE incident_id = :id", id=about.id)
            assert [row.resolved_by for row in ended] == ["person"]


async def test_a_button_pressed_twice_acts_once(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        for action, jobs in (("snooze", 1), ("escalate", 1), ("resolve", 0)):
            about = await story.incident("DiskFull")
            shown = await story.opens(ana)
            token = buttons(shown.text, story.world.secret, story.clock.now())[action]
            answers = [await story.web.post(f"/a/{token}", headers=PRESS) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [303, 303, 303]
            assert [answer.headers["location"].rpartition("=")[2] for answer in answers[1:]] == ["already", "already"]
            assert len(await story.rows("SELECT 1 FROM timeline WHERE incident_id = :id", id=about.id)) == 2
            assert len(await story.rows("SELECT 1 FROM jobs WHERE subject = :id", id=about.id)) == jobs


async def test_a_button_of_a_page_that_is_out_of_date_does_nothing_and_says_so(database: str) -> None:
    async with link_world(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        for action in ("snooze", "escalate", "resolve"):
            await story.incident("DiskFull")
            shown = await story.opens(ana)
            token = buttons(shown.text, story.world.secret, story.clock.now())[action]
            await story.presses(ben)
            answer = await story.web.post(f"/a/{token}", headers=PRESS)
            assert answer.status_code == 409
            assert "It had changed since you opened this page" in answer.text
            assert "<bdi>Ben</bdi> has it" in answer.text
            incident = await story.now()
            assert (incident.state, incident.acknowledged_by) == ("acknowledged", "Ben")


async def test_what_is_over_stays_over(database: str) -> None:
    async with link_world(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        await story.incident("DiskFull")
        await story.presses(ben, "resolve", resolution="fix")
        before = await _everything(story)
        for action in links.ACTIONS:
            answer = await story.web.post(f"/a/{story.token(ana, action)}", headers=PRESS)
            assert answer.status_code == 409
            assert "It was over before you pressed" in answer.text
            assert "Fixed, says Ben" in answer.text
        assert await _everything(story) == before


async def test_each_link_does_its_own_action_and_no_other(database: str) -> None:
    """What the form says can't turn an acknowledgement into a resolve."""
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        data = {"action": "resolve", "resolution": "fix", "minutes": "15", "state": "resolved"}
        answer = await story.web.post(f"/a/{story.token(ana)}", headers=PRESS, data=data)
        assert answer.status_code == 303
        incident = await story.now()
        assert (incident.state, incident.ack_until) == ("acknowledged", None)


BAD_FORMS: tuple[tuple[links.LinkAction, dict[str, str]], ...] = (
    ("snooze", {"minutes": "1"}),
    ("snooze", {"minutes": "99999999999999999999"}),
    ("snooze", {"minutes": "-15"}),
    ("snooze", {"minutes": "fifteen"}),
    ("resolve", {"resolution": "recovered"}),
    ("resolve", {"resolution": "'; DROP TABLE incidents; --"}),
    ("acknowledge", {f"f{place}": "x" for place in range(50)}),
    ("acknowledge", {"x": "y" * MAX_FORM}),
)


async def test_a_form_that_is_not_ours_does_nothing(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        before = await _everything(story)
        for action, data in BAD_FORMS:
            answer = await story.web.post(f"/a/{story.token(ana, action)}", headers=PRESS, data=data)
            assert answer.status_code == 400, data
            assert "Nothing was done" in answer.text
        assert await _everything(story) == before


async def test_a_body_of_another_kind_does_nothing(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        for kind, body in (
            ("application/x-www-form-urlencoded", b"\xff\xfe=1"),
            ("application/json", b'{"resolution": "workaround"}'),
            ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--"),
        ):
            headers = {**PRESS, "content-type": kind}
            answer = await story.web.post(f"/a/{story.token(ana, 'resolve')}", headers=headers, content=body)
            assert answer.status_code == 400, kind
        assert (await story.now()).state == "triggered"


async def test_another_site_can_not_press_the_button(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        for site in ("cross-site", "same-site"):
            answer = await story.web.post(f"/a/{story.token(ana)}", headers={**PRESS, "sec-fetch-site": site})
            assert answer.status_code == 403
        assert (await story.now()).state == "triggered"


async def test_a_link_ends_when_its_hours_are_over(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        token = story.token(ana, hours=24)
        story.clock.move_to(story.clock.now() + 24 * HOUR - SECOND)
        assert (await story.web.get(f"/a/{token}", headers=PHONE)).status_code == 200
        story.clock.move_to(story.clock.now() + SECOND)
        before = await _everything(story)
        for method in ("GET", "HEAD", "POST"):
            answer = await story.web.request(method, f"/a/{token}", headers=PHONE)
            assert answer.status_code == 410
            assert "DiskFull" not in answer.text
        assert "the newest page has a link that works" in answer.text
        assert await _everything(story) == before


async def test_the_buttons_of_a_page_end_with_its_link(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        shown = await story.opens(ana)
        story.clock.move_to(story.clock.now() + 24 * HOUR)
        for token in re.findall(r'action="\./([^"]+)"', shown.text):
            assert (await story.web.post(f"/a/{token}", headers=PRESS)).status_code == 410
        assert (await story.now()).state == "triggered"


async def test_a_link_ends_with_its_person(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        await story.leaves(ana)
        for method in ("GET", "POST"):
            answer = await story.web.request(method, f"/a/{story.token(ana)}", headers=PRESS)
            assert answer.status_code == 410
            assert "DiskFull" not in answer.text
        assert (await story.now()).state == "triggered"


async def test_a_forged_link_gets_the_same_answer_whether_the_incident_exists_or_not(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        incident = await story.incident("DiskFull")
        here = links.Link("acknowledge", incident.id, incident.number, "Ana", ana.id, story.clock.now() + HOUR)
        gone = links.Link("acknowledge", incident.id + 1, incident.number + 1, "Ana", ana.id, story.clock.now() + HOUR)
        moved = links.Link("acknowledge", incident.id + 1, incident.number, "Ana", ana.id, story.clock.now() + HOUR)
        secret = story.world.secret
        tokens = [
            links.write("another secret", here),
            links.write("another secret", gone),
            links.write(secret, gone),
            links.write(secret, moved),
            "nonsense",
            "some/path/../x",
        ]
        for method in ("GET", "POST"):
            answers = [await story.web.request(method, f"/a/{token}", headers=PRESS) for token in tokens]
            assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
            assert "This link opens nothing" in answers[0].text
        assert (await story.now()).state == "triggered"
        assert await story.rows("SELECT 1 FROM link_opens") == []


async def test_a_channels_link_answers_in_the_name_of_the_channel(database: str) -> None:
    async with link_world(database) as story:
        await story.incident("DiskFull")
        room = Holder(None, "war-room")
        answer = await story.presses(room)
        assert "<bdi>someone via war-room</bdi> has it" in (await story.follows(answer)).text
        assert (await story.now()).acknowledged_by == "someone via war-room"


async def test_the_page_tells_what_where_since_when_and_why_you(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana", "Europe/Berlin")
        alert = {
            "title": "Disk is 97 % full",
            "labels": {"host": "db-1", "mount": "/var"},
            "annotations": {"description": "It will be full in two hours."},
            "links": [["Runbook", "https://wiki.example.com/disk"], ["Dashboard", "http://grafana.internal/d/1"]],
            "count": 14,
        }
        await story.incident("DiskFull", alert, service="checkout")
        await story.paged(ana, "on call in Primary (layer weekly, turn 12)")
        story.clock.move_to(story.clock.now() + 12 * MINUTE)
        shown = (await story.opens(ana)).text
        for words in (
            "DiskFull",
            "checkout",
            ">P1<",
            ">critical<",
            "Open for 12 min",
            "2026-01-05 00:00 UTC (01:00 in Berlin)",
            "Why you: <bdi>on call in Primary (layer weekly, turn 12)</bdi> (level 1, page 1)",
            "1 alert, firing",
            "Disk is 97 % full",
            "seen 14 times",
            "It will be full in two hours.",
            "db-1",
            "opened by DiskFull",
        ):
            assert words in shown, words
        for url in ("https://wiki.example.com/disk", "http://grafana.internal/d/1"):
            assert f'<a href="{url}" rel="noopener noreferrer nofollow" target="_blank">' in shown


async def test_of_many_alerts_ten_are_shown_those_that_fire_first(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        over = [{"title": f"over {place}", "resolved_at": story.clock.now()} for place in range(30)]
        firing = [{"title": f"firing {place}"} for place in range(4)]
        await story.incident("Many", *over, *firing)
        shown = (await story.opens(ana)).text
        assert len(re.findall(r">firing \d<", shown)) == 4
        assert len(re.findall(r">over \d+<", shown)) == 6
        assert "and 24 more" in shown


async def test_an_alert_with_megabytes_of_text_still_makes_a_small_page(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        huge = {
            "title": "t" * 300,
            "labels": {f"label {place}": "v" * 8_192 for place in range(200)},
            "annotations": {f"note {place}": "w" * 8_192 for place in range(50)} | {"description": "d" * 8_192},
            "links": [["x" * 500, f"https://example.com/{place}"] for place in range(50)],
        }
        await story.incident("Huge", *[huge] * 12)
        shown = (await story.opens(ana)).text
        assert len(shown) < 500_000
        assert "more are not shown here" in shown
        assert len(re.findall(r'href="https://example.com/', shown)) == 8


class Tags(HTMLParser):
    """The elements and addresses of a page as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]


HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style><script src=//evil.example></script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<iframe src=javascript:alert(1)>",
    "<form action=https://evil.example><input name=x>",
    "</bdi></h1><a href=javascript:alert(1)>x</a>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "{{ secret }}{% include 'base.html' %}",
    "\u202eevil\u2066",
    "قرص ممتلئ",
)
SCHEMES = ("javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,<script>x</script>", "https://a@evil.example/")


async def test_hostile_text_is_only_ever_text(database: str) -> None:
    """In every place where a sender, a person's name or a note can put it."""
    async with link_world(database) as story:
        for text in HOSTILE:
            ana = await story.person(f"Ana {text}")
            alert = {
                "title": text,
                "labels": {text: text},
                "annotations": {"description": text, text: text + "x"},
                "links": [[text, "https://wiki.example.com/?q=%3Cscript%3E"], *([text, url] for url in SCHEMES)],
            }
            about = await story.incident(text, alert, service=f"svc {text}")
            await story.paged(ana, text)
            await story.world.store.write(respond.note, about.number, text, text)
            for shown in (await story.opens(ana), await story.follows(await story.presses(ana))):
                _assert_harmless(shown.text)
                assert story.world.secret not in shown.text


def _assert_harmless(html: str) -> None:
    seen = Tags()
    seen.feed(html)
    assert not seen.names & {"script", "img", "iframe", "object", "embed", "base"}
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert "http-equiv" not in seen.attributes
    ours = ("./A", "./B", "https://wiki.example.com/", "data:image/svg+xml,")
    assert all(address.startswith(ours) for address in seen.addresses), seen.addresses
    assert "<script" not in html.lower()
    assert not set(html) & set("\u202e\u2066")


async def test_every_answer_forbids_scripts_frames_caches_and_referrers(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        answers = [
            await story.opens(ana),
            await story.web.head(f"/a/{story.token(ana)}", headers=PHONE),
            await story.web.get("/a/nonsense"),
            await story.web.post("/a/nonsense"),
            await story.web.post(f"/a/{story.token(ana)}", headers={**PRESS, "sec-fetch-site": "cross-site"}),
            await story.presses(ana),
            await story.web.get("/"),
        ]
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            for rule in ("form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
                assert rule in policy
            assert "unsafe" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "noindex" in answer.headers["x-robots-tag"]
            assert "set-cookie" not in answer.headers


async def test_head_answers_as_get_would_without_the_page(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        answer = await story.web.head(f"/a/{story.token(ana)}", headers=PHONE)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_when_the_database_is_gone_the_page_says_so_and_claims_nothing(database: str) -> None:
    async with link_world(database) as story:
        ana = await story.person("Ana")
        await story.incident("DiskFull")
        token = story.token(ana)
        await story.breaks_the_database()
        for method in ("GET", "POST"):
            answer = await story.web.request(method, f"/a/{token}", headers=PRESS)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "DiskFull" not in answer.text


async def test_the_front_door_says_what_this_is_and_nothing_more(database: str) -> None:
    async with link_world(database) as story:
        await story.person("Ana")
        await story.incident("DiskFull")
        answer = await story.web.get("/")
        assert answer.status_code == 200
        assert "Tocsin is running" in answer.text
        assert "v1/openapi.json" in answer.text
        assert "<a " not in answer.text, "nothing here opens in a browser without a key"
        assert "DiskFull" not in answer.text
