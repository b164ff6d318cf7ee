"""The table of problems."""

import inspect
import re
from pathlib import Path

import pytest

from app.adapters.desk import DeskFull
from app.api import problems
from app.api.problems import KINDS, OBSTACLES, RETRY_AFTER_S, Problem, documentation
from app.usecases import campaigns, exceptions, obstacles, offers, pool_refusals, ports, subsidy_refusals, webhooks
from tests.service import Service

ROOT = Path(__file__).parents[2]


class TestTheTable:
    def test_is_what_the_page_says(self):
        assert (ROOT / "docs/problems.md").read_text("utf-8") == documentation(), (
            "write it anew: problems.documentation()"
        )

    @pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.slug)
    def test_says_everything_in_both_languages_and_what_to_do(self, kind: problems.Kind):
        assert re.search(r"[一-鿿]", kind.title_zh) and re.search(r"[一-鿿]", kind.detail_zh)
        assert re.search(r"[a-z]{2}", kind.title_en) and kind.detail_en.endswith(".")
        assert 400 <= kind.status < 600

    def test_tells_when_to_come_again_with_every_503(self):
        assert {slug for slug, kind in KINDS.items() if kind.status == 503} == RETRY_AFTER_S.keys()

    def test_has_a_row_for_every_obstacle_of_the_use_cases(self):
        known = {
            name
            for module in (campaigns, exceptions, obstacles, offers, pool_refusals, ports, subsidy_refusals, webhooks)
            for name, found in inspect.getmembers(module, inspect.isclass)
            if issubclass(found, Exception) and found.__module__ == module.__name__ and name != "Obstacle"
        }

        assert OBSTACLES.keys() == known | {DeskFull.__name__}
        assert set(OBSTACLES.values()) <= KINDS.keys()

    def test_knows_no_row_that_nothing_raises(self):
        text = "\n".join(path.read_text("utf-8") for path in (ROOT / "app").rglob("*.py"))

        for slug in KINDS:
            assert text.count(f'"{slug}"') >= 2, f"{slug} is in the table alone"


class TestAProblem:
    async def test_answers_what_the_framework_refuses_by_itself(self, embedded: Service):
        for path, method, status in (("/nope", "GET", 404), ("/v1/nope", "POST", 404), ("/livez", "POST", 405)):
            answer = await embedded.client.request(method, path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"

    async def test_never_shows_what_broke(self, embedded: Service, caplog: pytest.LogCaptureFixture):
        class Broken:
            async def find(self, *args: object, **kwargs: object) -> None:
                raise RuntimeError("the secret reason")

        services = embedded.app.state.services
        embedded.app.state.services = type(services)(
            **{name: getattr(services, name) for name in services.__slots__} | {"decisions": Broken()}
        )
        answer = await embedded.get("/v1/decisions/01990000-0000-7000-8000-000000000010")

        assert answer.status_code == 500
        assert answer.json()["type"] == "/problems/internal-error"
        assert "secret" not in answer.text
        assert "RuntimeError at" in caplog.text, "whoever runs the service has to find the place"
        assert "test_problems.py" in caplog.text
        assert "secret" not in caplog.text, "an error of the database would repeat a company's figures"

    def test_lists_at_most_twenty_places(self):
        from pydantic import ValidationError

        from app.api.schemas import DecisionRequest

        document = {f"k{n}": n for n in range(500)}
        with pytest.raises(ValidationError) as refusal:
            DecisionRequest.model_validate(document)

        assert len(problems.invalid_body(refusal.value, document).errors) == 20

    def test_names_no_key_that_could_be_more_than_a_name(self):
        for key in ("a b", "<b>", "键", "a" * 65, "a/b", "a~b", ""):
            assert problems._place(("company", key), {"company": {key: 1}}) == ("/company", 1)

    def test_is_an_exception_that_says_its_slug(self):
        assert str(Problem("not-found")) == "not-found"
