"""The status page in a real Chromium: over a job that runs, and over states that a job is rarely in."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.options import RunSettings, Settings
from pipeline.web.server import Web
from tests.browser import Browser, find_chromium
from tests.builders import QUEUE_URL, a_delivery, a_notification, an_object_ref
from tests.integration.jobs import a_job
from tests.integration.test_metrics import HOLDS
from tests.views import a_snapshot, a_tally, a_view
from transforms.failures import FailureKind
from transforms.records import Door, Failure
from transforms.settings import ReceiveSettings, WriteSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.aggregates import View
    from pipeline.snapshots import Snapshot
    from tests.integration.jobs import Place
    from transforms.events import EventLog

TIMEOUT_S = 60
SETTINGS = Settings(
    ReceiveSettings(QUEUE_URL), write=WriteSettings(dead_letters="s3://bucket/letters"), run=RunSettings()
)
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>\u202egnp.\x1b[31m  two'
CONTRASTS = """
(() => {
  const white = [255, 255, 255, 1];
  const numbers = (color) => { const n = color.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (color) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * linear(color[i] / 255), 0);
  const ground = (node) =>
    node ? over(numbers(getComputedStyle(node).backgroundColor), ground(node.parentElement)) : white;
  const low = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim(), node = texts.currentNode.parentElement;
    if (!text || !node.checkVisibility() || node.closest("script, style, noscript, svg")) continue;
    const under = ground(node), [a, b] = [light(over(numbers(getComputedStyle(node).color), under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([text, ratio]);
  }
  return low;
})()
"""
"""Texts whose contrast is less than WCAG's AA asks for, which is 4.5."""

LONG = """
for (const name of ["receive", "fetch", "process", "write", "acknowledge", "lag"])
  news.all.durations[name] = { mean_s: 0.1888, most_s: 0.25 };
for (const name in news.all.counts) (news.all.rates ??= {})[name] = 1888.8;
Object.assign(news.all.rates, { fetched_bytes: 8.88 * 2 ** 20, inflated_bytes: 88.8 * 2 ** 20 });
render();
"""
"""Numbers that take room, in the place of none."""
INJECTED = """
new Promise((resolve) => {
  const script = document.createElement("script"), box = document.createElement("div");
  script.textContent = "window.ran = 'script'";
  document.body.append(script, box);
  box.innerHTML = `<img src=x onerror="window.ran = 'handler'">`;
  box.firstChild.addEventListener("error", () => resolve(window.ran ?? 0));
})
"""
"""What a mistake in the page's own escaping would let in; it answers what of it ran."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start one for all tests here: that takes a second."""
    with Browser(find_chromium()) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """As wide as a desk's, and with nothing on its console."""
    chromium.open("about:blank#")
    chromium.look_like()
    chromium.console.clear()
    return chromium


@contextmanager
def _shown(browser: Browser, *views: View) -> Iterator[Web]:
    """Open the page over these pipelines."""
    with Web(replace(SETTINGS, run=RunSettings(pipelines=len(views))), lambda: views) as web:
        _open(browser, web.url)
        yield web


def _open(browser: Browser, url: str) -> None:
    browser.open(f"{url}/")
    browser.until("document.getElementById('condition').textContent !== 'Loading'")


def _failing(
    *details: str, set_aside: bool = True, kind: FailureKind = FailureKind.CORRUPT_GZIP
) -> Callable[[EventLog], None]:
    def do(events: EventLog) -> None:
        for detail in details:
            delivery = a_delivery(message_id=f"message of {detail}")
            failure = Failure(delivery, 0, an_object_ref(key=detail, delivery=delivery), kind, detail, "Error")
            events.received()
            if set_aside:
                events.set_aside(failure, "letter-0.json")
            else:
                events.failed(failure)
            events.settled(Door.SET_ASIDE if set_aside else Door.RETURNED, kind)

    return do


def _number(browser: Browser, selector: str) -> float:
    return float(browser.text(selector).replace(",", "").strip() or "nan")


# ── a job that runs


def test_numbers_move_while_the_job_runs_and_a_failure_appears(
    place: Place, tmp_path: Path, port: int, browser: Browser
) -> None:
    """With nothing on the console, and without being asked again."""
    (tmp_path / "holds.py").write_text(HOLDS)
    options = ("--pipelines=2", f"--metrics_port={port}", "--processor=holds:a_while", "--max_in_flight=10")
    stored = ".doors .stored dd"

    with a_job(place, tmp_path, *options) as job:
        job.wait_for_line("the status page is at")
        _open(browser, f"http://localhost:{port}")
        browser.until("document.getElementById('banners').textContent.includes('Nothing received yet')")
        place.upload(*(f"{number}.txt" for number in range(40)))
        browser.until(f"Number(document.querySelector({stored!r}).textContent) > 0")
        first = _number(browser, stored)
        place.upload(*(f"more-{number}.txt" for number in range(40)))
        message_id = place.send("junk")
        browser.until(f"Number(document.querySelector({stored!r}).textContent) === 80")
        browser.until("document.querySelector('#failure-rows .kind')?.textContent === 'unreadable_notification'")
        browser.until("[...document.querySelectorAll('.arrow')].every((arrow) => /[1-9]/.test(arrow.innerText))")
        browser.until("document.querySelector('#spark .curve').getAttribute('d').includes('L')")
        letter = browser.text("#failure-rows .letter code")
        job.signal(signal.SIGTERM)
        assert 0 == job.wait(TIMEOUT_S), str(job)

    console = [line for line in browser.console if "ERR_CONNECTION_REFUSED" not in line]  # once it has ended
    assert [] == console
    assert 0 < first <= 40
    assert letter == (tmp_path / "output/_dead_letters" / f"{message_id}-0.json").as_uri()


def test_a_hostile_key_is_shown_as_text(place: Place, tmp_path: Path, port: int, browser: Browser) -> None:
    """It comes through the queue, as anybody's may who can write there."""
    browser.look_like(width=375, height=800)
    keys = (HOSTILE, "k" * 1024, "%E2%80%AE")

    with a_job(place, tmp_path, f"--metrics_port={port}") as job:
        job.wait_for_line("the status page is at")
        for key in keys:
            place.send(a_notification(key, bucket=place.bucket))
        _open(browser, f"http://localhost:{port}")
        browser.until("document.querySelectorAll('#failure-rows > li').length === 3")
        shown = browser.js("[...document.querySelectorAll('#failure-rows [data-p=object]')].map((n) => n.textContent)")
        markup = browser.js("document.querySelectorAll('#failure-rows img, #failure-rows script').length")
        widths = browser.js("[document.documentElement.scrollWidth, window.innerWidth]")

    escaped = HOSTILE.encode("unicode_escape").decode()
    assert sorted(f"s3://{place.bucket}/{key}" for key in (escaped, *keys[1:])) == sorted(shown)
    assert (0, 375, 375) == (markup, *widths)
    assert "1" != browser.js("document.title")
    assert [] == [line for line in browser.console if "ERR_CONNECTION_REFUSED" not in line]


# ── states


def test_what_has_no_shape_or_turns_its_neighbours_round_is_shown_as_its_code(browser: Browser) -> None:
    """Wherever it comes from: an error text, a message id, a key."""
    odd = "a\u202eb\u200bc\x1b[31md \u00a0e\ud800f\u2028g"
    with _shown(browser, a_view(a_snapshot(a_tally(_failing(odd))))):
        detail = browser.text("#failure-rows [data-p=detail]")
        marked = browser.js("document.querySelectorAll('#failure-rows [data-p=detail] .odd').length")

    assert r"a\u{202e}b\u{200b}c\u{1b}[31md \u{a0}e\u{d800}f\u{2028}g" == detail
    assert 6 == marked


def test_a_script_that_got_into_the_page_would_not_run(browser: Browser) -> None:
    """The policy names the one that may."""
    with _shown(browser, a_view(a_snapshot())):
        ran = browser.js(INJECTED)

    assert 0 == ran
    assert browser.console
    assert all("Content Security Policy" in line for line in browser.console), browser.console


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_aa_asks_for(browser: Browser, scheme: str) -> None:
    """In both colour schemes, with everything on the page that it can show."""
    browser.look_like(scheme=scheme)
    tally = a_tally(_failing("a\u202eb", *map(str, range(9))))
    returned = a_tally(_failing("c", set_aside=False))
    snapshots = [
        a_snapshot(tally, outage={"source": 61.0}),
        a_snapshot(returned, stopping=True),
        a_snapshot(returned, held=1),
        a_snapshot(),
    ]
    low = []
    for snapshot in snapshots:
        with _shown(browser, a_view(snapshot), a_view(number=2)):
            low += browser.js(CONTRASTS)

    assert [] == low


@pytest.mark.parametrize("width", [320, 375, 560, 800, 1240, 1241, 1280, 1600])
def test_nothing_is_wider_than_the_window(browser: Browser, width: int) -> None:
    """Nor than the box that it stands in."""
    browser.look_like(width=width)
    large = a_snapshot(a_tally(_failing("k" * 1024)), held=99_999, held_bytes=1 << 40)
    large["queue"] = {"at": 0.0, "visible": 9_999_999, "hidden": 119_999, "delayed": 999_999}
    large["tally"]["counts"] |= {"received": 987_654_321, "stored": 987_654_321, "fetched": 987_654_321}
    with _shown(browser, a_view(large), a_view(number=2)):
        browser.js(LONG)
        widths = browser.js("[document.documentElement.scrollWidth, window.innerWidth]")
        spilt = browser.js(
            "[...document.querySelectorAll('.node, .card, .arrow, li, dl > div')]"
            ".filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.innerText)"
        )

    assert [width, width] == widths
    assert [] == spilt


def test_it_is_usable_without_a_mouse(browser: Browser) -> None:
    """In the order of the page, and first past its numbers."""
    with _shown(browser, a_view(a_snapshot(a_tally(_failing(*map(str, range(7)))))), a_view(number=2)):
        focused = []
        for _ in range(5):
            browser.press("Tab")
            focused.append(browser.js("document.activeElement.textContent.slice(0, 12)"))
        browser.js("document.querySelector('.skip').focus()")
        browser.press("Enter")
        skipped = browser.js("document.activeElement.id")
        browser.js("document.getElementById('more').focus()")
        browser.press("Enter")
        browser.until("document.querySelectorAll('#failure-rows > li').length === 7")
        browser.js("document.getElementById('pause').focus()")
        browser.press("Enter")
        paused = browser.js("document.getElementById('pause').getAttribute('aria-pressed')")

    assert ["Skip to the ", "All pipeline", "Pause", "Copy", "Copy"] == focused
    assert ("failures", "true") == (skipped, paused)


def test_focus_stays_where_it_is_when_numbers_change(browser: Browser) -> None:
    """Also when a failure comes before the one that is looked at."""
    views = [a_view(a_snapshot(a_tally(_failing("one"))))]
    with Web(SETTINGS, lambda: views) as web:
        _open(browser, web.url)
        browser.js("document.querySelector('#failure-rows button').focus()")
        kept = views[0].snapshot
        assert kept is not None
        failures = kept["tally"]["failures"]
        newer: Any = {**failures[0], "message_id": "newer", "at": failures[0]["at"] + 60}
        views[:] = [a_view({**kept, "tally": {**kept["tally"], "failures": [*failures, newer]}})]
        browser.until("document.querySelectorAll('#failure-rows > li').length === 2")
        held = browser.js("document.activeElement.closest('li').innerText")

    assert "message of one" in held


def test_what_is_told_twice_is_shown_twice_and_no_more(browser: Browser) -> None:
    """However often the page is refreshed."""
    snapshot = a_snapshot(a_tally(_failing("one")))
    snapshot["tally"]["failures"] *= 2
    with _shown(browser, a_view(snapshot)):
        for _ in range(3):
            browser.js("ask()")

        assert 2 == browser.js("document.querySelectorAll('#failure-rows > li').length")


def test_nothing_more_is_asked_while_it_is_paused(browser: Browser) -> None:
    """Until it goes on."""
    with _shown(browser, a_view(a_snapshot())):
        browser.js("window.waits = []; window.setTimeout = (_, ms) => waits.push(ms); ask()")
        browser.js("document.getElementById('pause').click(); waits.length = 0; ask()")
        paused = browser.js("waits")
        browser.js("document.getElementById('pause').click()")
        browser.until("waits.length === 1")

    assert [] == paused


def test_a_dead_letters_address_is_copied(browser: Browser) -> None:
    """A link to s3:// or file:// would lead nowhere from here."""
    with _shown(browser, a_view(a_snapshot(a_tally(_failing("one"))))) as web:
        browser.call(
            "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=web.url
        )
        browser.js("document.querySelector('#failure-rows button').focus()")
        browser.press("Enter")
        browser.until("document.querySelector('#failure-rows button').textContent === 'Copied'")
        said = browser.text("#said")
        copied = browser.js("navigator.clipboard.readText()")

    assert ("Copied", "s3://bucket/letters/letter-0.json") == (said, copied)


@pytest.mark.parametrize(
    ("snapshot", "word", "banner"),
    [
        (a_snapshot(answered_s=None), "Starting", "SQS has not answered yet."),
        (a_snapshot(), "Waiting", "Nothing received yet."),
        (a_snapshot(a_tally(lambda events: events.received())), "Quiet", "The queue is quiet."),
        (a_snapshot(a_tally(lambda events: events.received()), held=1), "Running", ""),
        (a_snapshot(stopping=True), "Stopping", "Nothing new is started."),
        (a_snapshot(answered_s=None, trouble="503"), "Trouble", "pipeline 1: SQS gives no messages: 503"),
        (
            a_snapshot(
                a_tally(_failing("refused", set_aside=False, kind=FailureKind.UNAVAILABLE)), outage={"source": 61.0}
            ),
            "Outage",
            "Outage: reading objects fails for every message. It began 1 min 1 s ago.",
        ),
    ],
)
def test_how_it_is_is_said_in_a_word_and_a_sentence(
    browser: Browser, snapshot: Snapshot, word: str, banner: str
) -> None:
    """To those who listen, too: politely, and only when it changes."""
    with _shown(browser, a_view(snapshot)):
        said = browser.js("document.getElementById('said').textContent")

        assert word == browser.text("#condition")
        assert banner in browser.text("#banners")
        assert ("polite", True) == (browser.js("document.getElementById('said').ariaLive"), bool(said))
        assert browser.js("document.title").startswith(word)
    assert [] == browser.console


def test_one_pipeline_may_be_looked_at_alone(browser: Browser) -> None:
    """With its own numbers and failures."""
    one, other = a_view(a_snapshot(a_tally(_failing("one")))), a_view(a_snapshot(a_tally(_failing("a", "b"))), number=2)
    with _shown(browser, one, other):
        everything = _number(browser, ".doors .set_aside dd")
        browser.js("(() => { const w = document.getElementById('which'); w.value = '2'; w.onchange(); })()")

        assert (3, 2) == (everything, _number(browser, ".doors .set_aside dd"))
        assert 2 == browser.js("document.querySelectorAll('#failure-rows > li').length")


def test_a_job_that_is_away_is_said_to_be_and_asked_less_and_less(browser: Browser) -> None:
    """And found again when it is back, at the same address."""
    with _shown(browser, a_view(a_snapshot(a_tally(_failing("one"))))) as web:
        address = int(web.url.rpartition(":")[2])
    browser.until("document.getElementById('banners').textContent.includes('The job does not answer.')")
    browser.until("delayMs >= 6000")

    kept = browser.text("#failure-rows [data-p=detail]")
    settings = replace(SETTINGS, run=RunSettings(metrics_port=address))
    with Web(settings, lambda: [a_view(a_snapshot())]):
        browser.js("[...document.querySelectorAll('#banners button')].find((b) => !b.hidden).click()")
        browser.until("document.getElementById('banners').textContent.includes('Nothing received yet.')")

        assert ("one", 1500) == (kept, browser.js("delayMs"))
