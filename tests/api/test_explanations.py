"""Explanations over HTTP: what they say, in which language and form."""

import re
from typing import Any

import pytest

from app.adapters.demo import DECLINED_DECISION_ID, GOLDEN_DECISION_IDS
from app.api.examples import DECISION_ID, decision_examples, pre_approved
from app.api.explanation_schemas import ExplanationAnswer
from tests.api.test_decisions import today
from tests.api.test_replay import tampered
from tests.service import Service

EVERY_ID = [*GOLDEN_DECISION_IDS.values(), DECLINED_DECISION_ID]


async def explained(service: Service, decision_id: str = DECISION_ID, query: str = "", **headers: str) -> Any:
    """This function will ask for an explanation."""
    sent = service.bearer() | {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.client.get(f"/v1/decisions/{decision_id}/explanation{query}", headers=sent)


class TestAnExplanation:
    async def test_says_which_component_set_the_limit_and_what_would_change_it(self, service: Service):
        found = (await explained(service, GOLDEN_DECISION_IDS["G4"])).json()

        assert found["limit"]["set_by"] == "credit_limit.score_band"
        assert [c["step"] for c in found["limit"]["components"] if c["binding"]] == ["credit_limit.score_band"]
        first, second, *_ = found["would_change_it"]
        assert first["text"] == "创新积分达到 85.00 分（现为 72.00 分）：预授信，额度 7,000,000 元，年利率 3.40%。"
        assert second["result"]["credit_limit"] == "10000000.00"
        assert [c["value"] for c in second["changes"]] == ["85", "10000000.00"]

    async def test_shows_each_gate_with_what_it_requires_and_what_it_found(self, embedded: Service):
        found = (await explained(embedded, DECLINED_DECISION_ID)).json()

        gate = next(gate for gate in found["gates"] if gate["step"] == "gates.minimum_score")
        assert (gate["required"], gate["actual"], gate["answer"]) == ("40", "39.99", "FAILED")
        assert (gate["required_text"], gate["actual_text"]) == ("不低于 40.00 分", "39.99 分")
        assert found["would_change_it"][0]["changes"][0]["value"] == "40"

    @pytest.mark.parametrize("language", ["zh", "en"])
    async def test_of_every_outcome_is_what_the_contract_says_in_one_language(self, embedded: Service, language: str):
        ids = [
            (await embedded.decide(example.document, example.name)).json()["decision_id"]
            for example in decision_examples(today())
        ]
        for decision_id in [*EVERY_ID, *ids]:
            answer = await explained(embedded, decision_id, f"?lang={language}")

            found = ExplanationAnswer.model_validate_json(answer.content)
            assert answer.headers["content-language"] == {"zh": "zh-CN", "en": "en"}[language]
            texts = [found.summary, found.note]
            texts += [shown.text for shown in found.would_change_it] + [gate.label for gate in found.gates]
            assert all(bool(re.search(r"[一-鿿]", text)) is (language == "zh") for text in texts), texts

    async def test_agrees_with_the_decision_in_every_figure(self, embedded: Service):
        for decision_id in EVERY_ID:
            decided = (await embedded.get(f"/v1/decisions/{decision_id}")).json()
            found = (await explained(embedded, decision_id)).json()

            trace = {line["step"]: line for line in decided["trace"]}
            assert found["outcome"] == decided["outcome"]
            assert found["assumptions"] == decided["assumptions"]
            assert found["audit_record"] == decided["audit_record"]
            for gate in found["gates"]:
                assert gate["actual"] == trace[gate["step"]]["facts"]["actual"]
                assert gate["required"] == trace[gate["step"]]["facts"]["required"]
            for component in (found["limit"] or {"components": ()})["components"]:
                assert component["amount"] == trace[component["step"]]["answer"]
                assert component["binding"] is trace[component["step"]]["decisive"]

    async def test_names_the_source_of_every_figure_and_which_are_assumed(self, embedded: Service):
        found = (await explained(embedded)).json()

        published = [source for source in found["sources"] if source["basis"] == "published"]
        assert published and all(source["title"] for source in published)
        assumed = [step for source in found["sources"] if source["basis"] == "assumed" for step in source["steps"]]
        assert sorted(assumed) == sorted(found["assumptions"])

    async def test_of_a_record_that_was_changed_is_refused(self, service: Service):
        tampered(service, b'"annual_rate":"0.0345"', b'"annual_rate":"0.0245"')

        answer = await explained(service)

        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/not-explainable"

    async def test_of_what_is_absent_or_foreign_is_not_found(self, embedded: Service):
        await embedded.add_key("foreign", "loan_officer", "boc")
        absent = await explained(embedded, "01990000-0000-7000-8000-0000000000ff")
        foreign = await embedded.get(f"/v1/decisions/{DECISION_ID}/explanation", caller="foreign")

        assert absent.status_code == foreign.status_code == 404
        assert absent.content == foreign.content


class TestLanguageAndForm:
    @pytest.mark.parametrize(
        ("query", "headers", "language"),
        [
            ("", {}, "zh"),
            ("?lang=en", {}, "en"),
            ("", {"Accept_Language": "en-GB,en;q=0.8"}, "en"),
            ("", {"Accept_Language": "fr, zh-TW;q=0.4, en;q=0.3"}, "zh"),
            ("", {"Accept_Language": "en;q=0.2, zh;q=0.9"}, "zh"),
            ("", {"Accept_Language": "en;q=0, fr"}, "zh"),
            ("?lang=zh", {"Accept_Language": "en"}, "zh"),
            ("", {"Accept_Language": ";;;q=,\x7f, en;q=x"}, "zh"),
            ("", {"Accept_Language": "," * 3_000}, "zh"),
        ],
    )
    async def test_language_is_the_parameters_then_the_headers_then_chinese(
        self, lasting: Service, query: str, headers: dict[str, str], language: str
    ):
        answer = await explained(lasting, query=query, **headers)

        assert answer.json()["language"] == language

    @pytest.mark.parametrize(
        ("query", "accept", "form"),
        [
            ("", "*/*", "application/json"),
            ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
            ("", "text/html;q=0.5, application/json", "application/json"),
            ("?format=html", "application/json", "text/html; charset=utf-8"),
            ("?format=json", "text/html", "application/json"),
        ],
    )
    async def test_form_is_the_parameters_then_the_headers_then_json(
        self, lasting: Service, query: str, accept: str, form: str
    ):
        answer = await explained(lasting, query=query, Accept=accept)

        assert answer.headers["content-type"] == form

    @pytest.mark.parametrize("query", ["?lang=fr", "?format=pdf", "?language=en", "?lang=zh&lang=en", "?lang="])
    async def test_refuses_what_it_does_not_know(self, embedded: Service, query: str):
        assert (await explained(embedded, query=query)).status_code == 422


class TestThePage:
    async def test_loads_and_runs_nothing_and_its_policy_says_so(self, embedded: Service):
        answer = await explained(embedded, query="?format=html")

        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|style=", answer.text)

    async def test_writes_a_companys_name_as_text_whatever_it_is(self, embedded: Service):
        document = pre_approved(today())
        document["company"]["name"] = "<script>alert(1)</script>&\"'"
        decision_id = (await embedded.decide(document, "named")).json()["decision_id"]

        page = (await explained(embedded, decision_id, "?format=html")).text

        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in page
