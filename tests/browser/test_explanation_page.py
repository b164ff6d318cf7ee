"""The page of an explanation on paper: one A4 sheet, from nothing but itself."""

import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.adapters.demo import seeded_cases
from app.api.examples import decision_examples
from app.api.explanation_document import explanation_document
from app.api.explanation_page import POLICY, explanation_page
from app.audit.application import application_from_document
from app.audit.canonical import vouched_bytes
from app.audit.record import Identity, Sources, decision_bytes, decision_within, place_bytes, record_bytes
from app.domain.standing import NOTHING_PROMISED
from app.rules.decide import EDITION, decide
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.explain import explain
from app.usecases.ports import StoredDecision, answer_in
from tests.applications import ON
from tests.policy_cases import catalogue

SHEET_MM = 277
"""An A4 sheet between its margins."""
ID = "01990000-0000-7000-8000-000000000010"


def explained(document: dict[str, Any], language: str) -> dict[str, Any]:
    """The explanation of what is decided on that application."""
    application = application_from_document(document)
    resolved = ActiveCatalogue(catalogue()).terms(application.product, on=ON)
    decision = decide(application, resolved.terms, NOTHING_PROMISED, ON)
    sources = Sources(resolved.terms, resolved.digest, NOTHING_PROMISED, "los")
    decided = decision_bytes(decision, application, sources, Identity(ID, ID, 1, None, datetime.now(UTC), EDITION))
    body = vouched_bytes(document)
    place = place_bytes(decision_id=ID, origin="bank.example/icbc", index=41, leaf_hash=bytes(32))
    record = record_bytes(decided, body, sources)
    answer = answer_in(record, *decision_within(decided, body), place)
    return explanation_document(explain(StoredDecision(ID, "icbc", 41, answer, record, resolved.document)), language)


def stretched(document: dict[str, Any]) -> dict[str, Any]:
    """The same with far more to say than any product has: long names, and every list ten times over."""
    document = copy.deepcopy(document)
    document["company"]["name"] = "示例" * 100
    document["application_id"] = "W" * 64
    for name in ("reasons", "gates", "would_change_it", "sources"):
        document[name] = document[name] * 10
    for gate in document["gates"]:
        gate["label"] = "准入条件说明" * 8
    return document


@pytest.fixture(scope="module")
def browser(needs_chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs_chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def cases() -> dict[str, dict[str, Any]]:
    seeded = {case.idempotency_key: dict(case.document) for case in seeded_cases(ON)}
    return seeded | {example.name: example.document for example in decision_examples(ON)}


def explanations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What is printed: cases that say little and much, and far more than any says, by name and language."""
    told = (("demo-G6", "zh"), ("listed", "zh"), ("declined", "en"), ("minimal", "zh"), ("minimal", "en"))
    for name, language in told:
        yield name, language, explained(cases()[name], language)
    for language in ("zh", "en"):
        yield "stretched", language, stretched(explained(cases()["minimal"], language))


def served(page: Page, html: str) -> tuple[list[str], list[str]]:
    """Answers whatever the page asks for with the page; what it asks for, and what the console complains of."""
    asked: list[str] = []
    complaints: list[str] = []
    page.route("**/*", lambda route: route.fulfill(body=html, headers=HEADERS))
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: complaints.append(line.text))
    return asked, complaints


class TestThePageOnPaper:
    def test_is_one_whole_sheet_and_asks_for_nothing_whatever_there_is_to_say(self, browser: Browser):
        for case, language, found in explanations():
            html = explanation_page(found, language)
            page = browser.new_page()
            asked, complaints = served(page, html)

            page.goto("http://127.0.0.1/explanation")
            page.emulate_media(media="print")
            height = page.evaluate("document.body.getBoundingClientRect().height") * 25.4 / 96
            pdf = page.pdf(prefer_css_page_size=True)
            styled = page.evaluate("getComputedStyle(document.querySelector('table')).tableLayout")
            wide = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            page.close()

            assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, case
            assert re.search(rb"/MediaBox\s*\[0 0 59[45][.\d]* 84[12]", pdf)
            assert height < SHEET_MM, case
            assert (styled, wide) == ("fixed", True), case
            assert (asked, complaints) == (["http://127.0.0.1/explanation"], []), case
            more = re.search("另有 [0-9]+ 项，见 JSON" if language == "zh" else "[0-9]+ more are in the JSON", html)
            assert (more is not None) is (case == "stretched"), case
            assert case != "stretched" or height > SHEET_MM * 3 / 4

    def test_would_be_seen_to_be_more(self, browser: Browser):
        html = explanation_page(explained(cases()["minimal"], "zh"), "zh").replace("</body>", "<p>更多</p>" * 99)
        page = browser.new_page()
        page.set_content(html)

        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) > 1


HEADERS = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
