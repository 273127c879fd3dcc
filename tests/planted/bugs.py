"""Small bugs, each of which breaks one guard of the way from an alert to a page. None may survive the tests.

A bug is a place in a file and what stands there instead. Each is looked for in
the simulator's days, in order, until one breaks a rule; a few have tests of their own that are to find them, because the
simulator has no such fault (a row that can't be read) or looks at it from too far away.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: `old` stands once in `file`, and `new` takes its place."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    """Tests that are to find it; without any, the simulator's days."""


INGEST = (
    Bug(
        "answered before the commit",
        "app/dedup/committer.py",
        "        group: list[_Waiting] = []\n        events = 0\n",
        "        group: list[_Waiting] = []\n        events = 0\n"
        "        for queued in self._queue:\n            queued.answer.done() or queued.answer.set_result(None)\n",
    ),
    Bug(
        "a failed commit is answered well",
        "app/dedup/committer.py",
        "            for waiting in group:\n                _fail(waiting, error)\n",
        "            for waiting in group:\n                waiting.answer.set_result(None)\n",
    ),
    Bug(
        "a late copy of a firing opens it anew",
        "app/dedup/lifecycle.py",
        "LATE = 15 * MINUTE\n",
        "LATE = 0\n",
    ),
    Bug(
        "a late resolve ends a newer episode",
        "app/dedup/lifecycle.py",
        "    if ended_earlier or (began_earlier and event.ends_at is None):\n        return LATE_RESOLVE\n",
        "",
    ),
    Bug(
        "a resolve that comes before its firing is forgotten",
        "app/dedup/lifecycle.py",
        "        if known is None:\n            return ORPHAN\n",
        "        if known is None:\n            return ACK_OF_NOTHING\n",
    ),
    Bug(
        "an alert that ended and came again in one transaction stays counted",
        "app/dedup/joining.py",
        '    one.episode.incident_id = one.row["incident_id"] = incident.id\n',
        '    one.row["incident_id"] = work.known[one.item.key_digest].incident_id = incident.id\n',
        tests=("tests/stories/test_ingest.py",),
    ),
    Bug(
        "an expired alert keeps its incident open",
        "app/dedup/expire.py",
        '            await ledger.record(tx, recovered(incident, "expiry", tx.now, auto_resolve=auto_resolve))\n',
        "            pass\n",
    ),
    Bug(
        "the first page of a new incident has no job",
        "app/dedup/placing.py",
        "    await jobs.add(tx, made)\n",
        "",
    ),
)

QUEUE = (
    Bug(
        "a claim ignores the lease of another",
        "app/store/claims.py",
        'FREE: ColumnElement[bool] = (jobs.c.lease_until + literal_column("0")) <= NOW\n',
        'FREE: ColumnElement[bool] = (jobs.c.lease_until + literal_column("0")) <= NOW + 20_000_000\n',
    ),
    Bug(
        "a lease never ends",
        "app/store/claims.py",
        'FREE: ColumnElement[bool] = (jobs.c.lease_until + literal_column("0")) <= NOW\n',
        'FREE: ColumnElement[bool] = (jobs.c.lease_until + literal_column("0")) <= NOW * 0\n',
    ),
    Bug(
        "the fence is not looked at",
        "app/store/jobs.py",
        '_CLAIMED = (jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("claim"))\n',
        '_CLAIMED = (jobs.c.id == bindparam("job"), jobs.c.fence >= bindparam("claim"))\n',
    ),
    Bug(
        "a claim does not raise the fence",
        "app/store/claims.py",
        '        .values(lease_until=bindparam("until"), fence=jobs.c.fence + 1)\n',
        '        .values(lease_until=bindparam("until"), fence=jobs.c.fence)\n',
    ),
    Bug(
        "a job that failed is dropped",
        "app/paging/worker.py",
        "    await jobs.put_back(tx, job, due_at, failures=failures)\n",
        "    await jobs.finish(tx, job)\n",
        tests=("tests/stories/test_poison.py",),
    ),
    Bug(
        "a worker sleeps until it is woken",
        "app/paging/worker.py",
        "        return POLL_S if upcoming is None else max(",
        "        return 3_600.0 if upcoming is None or upcoming else max(",
    ),
    Bug(
        "the next level is not pulled forward",
        "app/store/jobs.py",
        '    moved = await tx.conn.execute(_PULL, {"of": subject, "kinds": list(kinds), "due": due_at})\n',
        '    moved = await tx.conn.execute(_PULL, {"of": subject, "kinds": ["none"], "due": due_at})\n',
    ),
    Bug(
        "nobody takes the oldest in a storm",
        "app/paging/worker.py",
        '        order: Order = "age" if self._claims % OLDEST_EVERY == 0 else "rank"\n',
        '        order: Order = "first rank"\n',
    ),
    Bug(
        "processes that die early never take the oldest",
        "app/paging/worker.py",
        "        self._claims = (OLDEST_EVERY - 1) * (clock.now() // 1_000 % 2)\n",
        "        self._claims = 0\n",
        tests=("tests/unit/test_worker_turns.py",),
    ),
    Bug(
        "somebody who is disabled has their turns",
        "app/oncall/facts.py",
        '    if document.get("disabled"):\n',
        "    if False:\n",
        tests=("tests/stories/test_disabled_people.py",),
    ),
    Bug(
        "a conflict is not tried again",
        "app/store/database.py",
        "ATTEMPTS = 3\n",
        "ATTEMPTS = 1\n",
        # In the simulator's days it is only slower: who lost is told to come again.
        tests=("tests/stories/test_store.py",),
    ),
)

ESCALATION = (
    Bug(
        "an acknowledgement does not raise the epoch",
        "app/incidents/incident.py",
        "    incident.ack_until = until\n    _forget_quiet(incident)\n"
        '    incident.escalation = "stopped"\n    incident.epoch += 1\n',
        '    incident.ack_until = until\n    _forget_quiet(incident)\n    incident.escalation = "stopped"\n',
    ),
    Bug(
        "a level does not wait for the first try of the one before",
        "app/paging/escalate.py",
        "    wait_until = await _level_before_ends(tx, incident)\n",
        "    wait_until = None\n",
    ),
    Bug(
        "a level has its time from its planning",
        "app/paging/course.py",
        "    return None if told.first_try is None else told.first_try + told.delay_s * SECOND\n",
        "    return None if told.first_due is None else told.first_due + told.delay_s * SECOND\n",
    ),
    Bug(
        "a level is passed over",
        "app/paging/escalate.py",
        "        incident.level += 1\n",
        "        incident.level += 2\n",
    ),
    Bug(
        "escalation ends while a level has its time",
        "app/paging/escalate.py",
        "        await jobs.put_back(tx, job, wait_until)\n",
        "        await jobs.finish(tx, job)\n",
    ),
    Bug(
        "the fallback is not used",
        "app/paging/escalate.py",
        "    if rules.policy is not None and rules.policy.fallback and not await reached_anybody(tx, incident):\n",
        "    if False:\n",
    ),
    Bug(
        "undelivered is not said",
        "app/paging/escalate.py",
        "    undelivered = not await reached_anybody(tx, incident)\n",
        "    undelivered = False\n",
    ),
    Bug(
        "an acknowledgement that expires pages nobody",
        "app/incidents/respond.py",
        "    entry = moves.ack_expired(incident, tx.now)\n    await _page_again(tx, incident, since=job.due_at)\n",
        "    entry = moves.ack_expired(incident, tx.now)\n",
    ),
    Bug(
        "a snooze does not wake",
        "app/incidents/respond.py",
        "    entry = moves.snooze(incident, actor, tx.now, until)\n    await _wake_at(tx, incident, until)\n",
        "    entry = moves.snooze(incident, actor, tx.now, until)\n",
    ),
    Bug(
        "reopened, and nobody is paged",
        "app/incidents/respond.py",
        '    entry = moves.reopen(incident, actor, f"reopened by {actor}")\n    await _page_again(tx, incident)\n',
        '    entry = moves.reopen(incident, actor, f"reopened by {actor}")\n',
    ),
    Bug(
        "a person's resolve leaves its alerts open",
        "app/incidents/respond.py",
        "    await ledger.end_alerts(tx, incident)\n",
        "",
    ),
    Bug(
        "page numbers begin anew",
        "app/paging/escalate.py",
        '    if incident.epoch == 1 and incident.escalation == "waiting" and incident.updated_at == incident.opened_at:\n',
        '    if incident.escalation == "waiting":\n',
    ),
)

DELIVERY = (
    Bug(
        "a page is begun whatever became of its incident",
        "app/paging/deliver.py",
        '    return incident.state == "triggered" and incident.epoch == page.epoch\n',
        "    return True\n",
    ),
    Bug(
        "the outcome is written before the send",
        "app/paging/handlers.py",
        "            outcome = await self._sent(tried)\n        finally:\n            self._desk.doors.give_back(job.id)\n"
        "        self._metrics.page_outcomes.labels(tried.notifier, outcome_name(outcome)).inc()\n",
        "            from app.notifiers.notifier import Accepted\n\n            outcome = Accepted()\n"
        "            await self._record((tried, outcome))\n            await self._sent(tried)\n            return ()\n"
        "        finally:\n            self._desk.doors.give_back(job.id)\n",
    ),
    Bug(
        "no answer counts as sent",
        "app/paging/retry.py",
        "        case Delivered() | Accepted():\n            return Done()",
        "        case Delivered() | Accepted() | Unknown():\n            return Done()",
    ),
    Bug(
        "tries have no end",
        "app/paging/retry.py",
        "            if tries >= LAST_TRY:\n",
        "            if tries >= 10**6:\n",
        tests=("tests/unit/test_paging_rules.py",),
    ),
    Bug(
        "a page that was surely not sent is given up after one try",
        "app/paging/retry.py",
        "            if tries >= LAST_TRY:\n",
        "            if tries >= 1:\n",
    ),
    Bug(
        "a page without an answer is given up after one try",
        "app/paging/retry.py",
        "            if tries >= MAX_UNKNOWN_TRIES:\n",
        "            if tries >= 1:\n",
    ),
    Bug(
        "a blocked page holds up the next level",
        "app/paging/deliver.py",
        '                await say(tx, page, "page_failed", f"{reason}; it is tried on")\n'
        "                await start_next_way(tx, page, incident, rank)\n",
        '                await say(tx, page, "page_failed", f"{reason}; it is tried on")\n',
        # Where all calls of the provider fail, it is called broken before that.
        tests=("tests/stories/test_provider_trouble.py",),
    ),
    Bug(
        "all that waited for a provider goes out when it is back",
        "app/paging/deliver.py",
        "    if (other := (await overtaken(tx, [page])).get(page.id)) is not None:\n",
        "    if (other := (await overtaken(tx, [])).get(page.id)) is not None:\n",
    ),
    Bug(
        "a page that is being told by another is told beside it",
        "app/paging/deliver.py",
        "            await jobs.put_back(tx, job, tx.now + OVERTAKING)\n        return None\n",
        "            pass\n        if other.arrived:\n            return None\n",
        tests=("tests/stories/test_provider_back.py",),
    ),
    Bug(
        "rounds that reach nobody are used up at once",
        "app/paging/escalate.py",
        "    if told and told[0].position.round > incident.round and await repeats_itself(tx, incident):\n",
        "    if False:\n",
        tests=("tests/stories/test_provider_back.py",),
    ),
    Bug(
        "a policy that had reached nobody does not go on when a page comes through",
        "app/paging/deliver.py",
        "        if tried.failed:\n",
        "        if False:\n",
    ),
    Bug(
        "a refusal does not start the next way",
        "app/paging/deliver.py",
        '            await say(tx, page, "page_failed", reason)\n'
        '            if page.state == "waiting":\n                await start_next_way(tx, page, incident, rank)\n',
        '            await say(tx, page, "page_failed", reason)\n',
    ),
    Bug(
        "the last failed page does not pull the next level",
        "app/paging/deliver.py",
        "    if page.level != ASKED and not (await tx.conn.execute(left)).scalar_one():\n",
        "    if False:\n",
    ),
    Bug(
        "a try whose process died is not called unknown",
        "app/paging/deliver.py",
        '        .values(outcome="unknown", finished_at=tx.now, detail="the process stopped while it was sending")\n',
        '        .values(outcome="try_again", finished_at=tx.now, detail="the process stopped while it was sending")\n',
    ),
    Bug(
        "late pages do not say so",
        "app/paging/deliver.py",
        '        "late_s": tried.message.late_s,\n',
        '        "late_s": 0,\n',
    ),
    Bug(
        "a notifier may take for ever",
        "app/paging/handlers.py",
        "            async with asyncio.timeout(self._deadline_s):\n",
        "            async with asyncio.timeout(None):\n",
    ),
    Bug(
        "a disabled contact method is used",
        "app/people/person.py",
        "if method.enabled and not person.disabled]",
        "if not person.disabled]",
    ),
)

ANSWERS = (
    Bug(
        "an incident is taken from somebody by surprise",
        "app/paging/answer.py",
        '        return None if wish.take_over else "held"\n',
        "        return None\n",
    ),
    Bug(
        "an old page acts on what it did not show",
        "app/paging/answer.py",
        "    if link.epoch and link.epoch != incident.epoch:\n",
        "    if False:\n",
        tests=("tests/stories/test_link_answers.py",),
    ),
    Bug(
        "an acknowledgement has no end",
        "app/incidents/respond.py",
        "    if until is not None:\n        await _wake_at(tx, incident, until)\n",
        "",
    ),
    Bug(
        "links are believed without their signature",
        "app/paging/tokens.py",
        "    if not hmac.compare_digest(_signer(secret, salt).sign(value), token.encode()):\n",
        "    if False:\n",
    ),
    Bug(
        "links of yesterday are taken",
        "app/paging/links.py",
        "    if now >= link.expires_at:\n",
        "    if False:\n",
    ),
)

HOLDING = (
    Bug(
        "a hold is ignored",
        "app/watch/gate.py",
        "            if await self.held() is not None and await self._store.write(keep_back, job):\n                return ()\n",
        "",
    ),
    Bug(
        "what was held back stays away",
        "app/watch/hold.py",
        "    back = await let_go(tx)\n",
        "    back = 0\n",
    ),
)

ON_CALL = (
    Bug(
        "a schedule leads to nobody",
        "app/paging/recipients.py",
        "            return _on_call(facts, key, duties[key], target.role)\n",
        '            return [Missed("nobody")]\n',
        tests=("tests/stories/test_escalation.py",),
    ),
)

_HANDS = ("tests/stories/test_hands.py",)
_WHO = ("tests/stories/test_who_is_told.py",)

WHO_IS_TOLD = (
    Bug(
        "who has acknowledged for themselves is paged on",
        "app/paging/joint.py",
        '    await end_pages(tx, incident, person_id, f"{actor} had it before this page was due")\n',
        "",
        tests=_HANDS,
    ),
    Bug(
        "the first of several acknowledges for all",
        "app/paging/joint.py",
        '    others = [row.name for row in asked if row.state == "waiting" and row is not mine]\n',
        "    others: list[str] = []\n",
        tests=_HANDS,
    ),
    Bug(
        "nobody is left to acknowledge, and it counts as acknowledged",
        "app/paging/joint.py",
        "    if incident.awaiting or not had:\n",
        "    if incident.awaiting:\n",
        tests=_HANDS,
    ),
    Bug(
        "a sender acknowledges for people who must",
        "app/dedup/placing.py",
        "    if not incident.awaiting:\n        return acknowledge",
        "    if True:\n        return acknowledge",
        tests=_HANDS,
    ),
    Bug(
        "an acknowledgement ends the pages of who was asked to join",
        "app/paging/deliver.py",
        "    if page.level == ASKED:\n        return incident.state in OPEN_STATES\n",
        "",
        tests=_HANDS,
    ),
    Bug(
        "a turn in a team is not written down",
        "app/paging/escalate.py",
        "        await take_turns(tx, each.plan.turns)\n",
        "",
        tests=_WHO,
    ),
    Bug(
        "another policy begins in its middle",
        "app/paging/escalate.py",
        "    if follows_another(incident, rules):\n",
        "    if False:\n",
        tests=_WHO,
    ),
    Bug(
        "an edit changes the time of what was told",
        "app/paging/course.py",
        "    return LastTold(incident.told_s or DELAY_S,",
        "    return LastTold(DELAY_S,",
        tests=_WHO,
    ),
    Bug(
        "what somebody wants told waits for support hours",
        "app/paging/course.py",
        "    if assigned:\n        rules = replace(rules, waits_until=None)\n",
        "",
        tests=_WHO,
    ),
    Bug(
        "who was told mildly is not told anew when it becomes graver",
        "app/dedup/joining.py",
        '    if entry.detail.get("restart"):\n        _page(work, incident, inlet)\n    elif ',
        "    if ",
        tests=_WHO,
    ),
    Bug(
        "a page is not as urgent as its case says",
        "app/paging/escalate.py",
        '            "urgency": rules.urgency,\n',
        "",
        tests=_WHO,
    ),
    Bug(
        "high urgency waits for the end of quiet hours",
        "app/people/person.py",
        '    return urgency == "low" and not any(',
        "    return not any(",
        tests=("tests/unit/test_paging_rules.py",),
    ),
)

_STORM = ("tests/unit/test_storm.py", "tests/unit/test_doors.py", "tests/unit/test_breaker.py")
_DEATH = ("tests/stories/test_death_in_a_storm.py",)
TOO_MUCH = (
    Bug(
        "a provider that does not work is called on and on",
        "app/paging/breaker.py",
        '        case "closed" if known.failures < OPENS_AFTER:\n',
        '        case "closed":\n',
        tests=_STORM,
    ),
    Bug(
        "all that wait for a broken provider probe it",
        "app/paging/breaker.py",
        '    return replace(circuit, state="probing", until=now + PROBE_LASTS), True\n',
        "    return circuit, True\n",
        tests=_STORM,
    ),
    Bug(
        "a repeat takes the last call that a provider has left",
        "app/paging/bucket.py",
        "    needed = min(float(pace.burst), 1 + pace.burst * _LEFT.get(rank, _LEFT_BY_THE_REST))\n",
        "    needed = 1.0\n",
        tests=_STORM,
    ),
    Bug(
        "a storm of one service takes all pages of a person",
        "app/paging/storm.py",
        "    share = allowance.pages - allowance.pages // KEPT\n",
        "    share = allowance.pages\n",
        tests=_STORM,
    ),
    Bug(
        "what is too much for a person is not gathered",
        "app/paging/storm.py",
        "        return heard.pages < allowance.pages\n",
        "        return True\n",
        tests=_STORM,
    ),
    Bug(
        "who waited a moment for a provider has no next way any more",
        "app/paging/deliver.py",
        '    goes_on = long and page.state == "waiting"\n    values = {"detail": clean(shut.reason)[:MAX_DETAIL]}\n    if goes_on:\n',
        '    goes_on = long and page.state == "waiting"\n    values = {"detail": clean(shut.reason)[:MAX_DETAIL]}\n    if True:\n',
        tests=("tests/stories/test_provider_trouble.py",),
    ),
    Bug(
        "a page whose process died waits for what is gathered",
        "app/paging/deliver.py",
        "    died = tries > 0 and page.outcome is None\n",
        "    died = False\n",
        tests=_DEATH,
    ),
    Bug(
        "a try in a bundle that died and is left out has no end",
        "app/paging/bundles.py",
        "    tried = await _tries_so_far(tx, due)\n",
        "    tried = await _tries_so_far(tx, [page for page in due if needed(page, of[page.incident_id])])\n",
        tests=_DEATH,
    ),
    Bug(
        "a page that ended on its way is tried on",
        "app/paging/deliver.py",
        "    if page.state not in UNSENT:\n        return\n    name = outcome_name(outcome)\n",
        "    name = outcome_name(outcome)\n",
        tests=_DEATH,
    ),
    Bug(
        "a receipt that comes while its page is being sent is forgotten",
        "app/paging/early_receipts.py",
        "    if row.receipt_at is None:\n",
        "    if True:\n",
    ),
    Bug(
        "a receipt that does not come is not missed",
        "app/paging/retry.py",
        "        case Accepted(awaits_receipt=True):\n            return Awaits(now + RECEIPT_WITHIN)\n",
        "",
        tests=("tests/stories/test_receipts.py",),
    ),
)

_ENGINE = ("tests/unit/test_correlation_engine.py",)
_TOGETHER = ("tests/stories/test_correlation.py",)

CORRELATION = (
    Bug(
        "what a check taught about itself is not waited for",
        "app/dedup/joining.py",
        "    return habit.wait() if habit and _hold(incident, one.inlet).learned else NOTHING_LEARNED\n",
        "    return NOTHING_LEARNED\n",
        tests=_TOGETHER,
    ),
    Bug(
        "a second thing does not end the wait that was learned",
        "app/dedup/joining.py",
        "    if hold.learned or (things >= CONFIRMED",
        "    if (things >= CONFIRMED",
        tests=_TOGETHER,
    ),
    Bug(
        "what grew after it had been alone for long does not speak against waiting",
        "app/dedup/joining.py",
        "        work.grown.append(incident)\n",
        "        pass\n",
        tests=_TOGETHER,
    ),
    Bug(
        "what somebody acknowledged teaches that it clears by itself",
        "app/dedup/habits.py",
        '    by_itself = incident.resolution == "recovered" and incident.acknowledged_at is None\n',
        '    by_itself = incident.resolution == "recovered"\n',
        tests=_TOGETHER,
    ),
    Bug(
        "what is mild and comes back wakes people at once",
        "app/dedup/joining.py",
        '    return incident.urgency == "high" and urgency_of(severity) == "low"\n',
        "    return False\n",
        tests=_TOGETHER,
    ),
    Bug(
        "what is urgent waits behind what is mild",
        "app/dedup/joining.py",
        "        work.confirmed.append((incident.id, work.now))\n        return\n",
        "        return\n",
        tests=_TOGETHER,
    ),
    Bug(
        "a declared service does not tie what came by its integrations",
        "app/correlation/score.py",
        "        self.owners()\n",
        "",
        tests=_ENGINE,
    ),
    Bug(
        "a check's name joins two declared services",
        "app/correlation/score.py",
        "        self.owned = self.free and seen.facets.owner in live.owners\n",
        "        self.owned = self.free\n",
        tests=_ENGINE,
    ),
    Bug(
        "the time counts nothing for a call between two declared services",
        "app/correlation/score.py",
        "                            stand.owned = stand.free\n",
        "                            pass\n",
        tests=_TOGETHER,
    ),
    Bug(
        "a proxy's host ties all that is behind it",
        "app/correlation/entities.py",
        '    fronts = "ingress" in event.labels or "proxy" in event.labels\n',
        "    fronts = False\n",
        tests=("tests/unit/test_entities.py",),
    ),
)

BUGS: tuple[Bug, ...] = (
    INGEST + QUEUE + ESCALATION + DELIVERY + ANSWERS + HOLDING + ON_CALL + WHO_IS_TOLD + TOO_MUCH + CORRELATION
)
