"""The documentation page in a real browser that can reach nothing but the service."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, sync_playwright

from tests.service import begun, demo_settings, listening
from tests.tokens import AUDIENCE, ISSUER, RSA, claims, jwks, token

FOLD = """document.querySelectorAll(".opblock-tag[data-is-open=true]").forEach(
  chapter => ["decisions", "operations"].includes(chapter.dataset.tag) || chapter.click())"""


@dataclass
class Visit:
    """A page of the service, open in a browser; `elsewhere` are requests to any other host, `complaints` the
    console's.
    """

    page: Page
    address: str
    keys: dict[str, str]
    folder: Path
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def picture(self, name: str) -> Path:
        """Keeps what the page looks like; `pytest --basetemp=DIR` says where, for whoever wants to look."""
        path = self.folder / f"{name}.png"
        if not path.exists():
            self.page.screenshot(path=path, full_page=False)
        return path

    def authorise(self, scheme: str, secret: str) -> None:
        """Gives Swagger UI's Authorize a key or a token, and takes back what it had."""
        page = self.page
        page.click(".btn.authorize")
        shown = page.locator(".auth-container").filter(has=page.locator(f"h4:has-text('{scheme}')"))
        if page.locator(".auth-container .auth-btn-wrapper button:has-text('Logout')").count():
            page.locator(".auth-container .auth-btn-wrapper button:has-text('Logout')").first.click()
        shown.locator("input").fill(secret)
        shown.locator(".auth-btn-wrapper .authorize").click()
        self.picture(f"authorised-{scheme}")
        page.locator(".auth-btn-wrapper .btn-done").first.click()

    def open(self, operation: str) -> str:
        """Opens an operation that is not open yet and returns its place in the page."""
        block = f"#operations-{operation}"
        if not self.page.locator(f"{block} .try-out__btn").count():
            self.page.click(f"{block} .opblock-summary")
        return block

    def execute(self, operation: str) -> Response:
        """Executes an operation untouched and returns what came back."""
        page, block = self.page, self.open(operation)
        if not page.locator(f"{block} .execute").count():
            page.click(f"{block} .try-out__btn")
        with page.expect_response(lambda r: "/v1/" in r.url or r.url.endswith("/metrics")) as caught:
            page.click(f"{block} .execute")
        return caught.value


@pytest.fixture
def visit(opened: Visit) -> Visit:
    """The page, which the tests share, as a browser takes seconds to make it; what an earlier one was refused is not
    held against it.
    """
    opened.complaints.clear()
    # What is open is drawn anew at each click on Authorize.
    for summary in opened.page.locator(".opblock.is-open .opblock-summary-control").all():
        summary.click()
    return opened


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, needs_chromium: str) -> Iterator[Visit]:
    folder = tmp_path_factory.mktemp("docs")
    keys = folder / "keys.json"
    keys.write_bytes(jwks(RSA))
    rules = {"TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE, "TOKEN_KEYS_FILE": str(keys)}
    settings = demo_settings(begun(folder / "data"), **rules)
    with listening(settings) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=needs_chromium,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1400}, locale="zh-CN")
        keys = json.loads(settings.demo_keys_file.read_text())
        visit = Visit(page, address, keys, folder)
        page.on(
            "request", lambda request: visit.elsewhere.append(request.url) if not _ours(request.url, address) else None
        )
        page.on(
            "console", lambda line: visit.complaints.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock")
        assert visit.complaints == []
        # All that is shown is drawn anew at each click on Authorize, and the tests need two chapters of a dozen.
        page.evaluate(FOLD)
        yield visit
        browser.close()


def _ours(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))


class TestTheDocumentationPage:
    def test_decides_twice_by_execute_untouched_and_loads_nothing_from_elsewhere(self, visit: Visit):
        page = visit.page
        assert page.get_by_role("heading", name="积分贷").first.is_visible()
        visit.picture("docs")

        visit.authorise("ApiKey", visit.keys["loan_officer"])
        bodies = []
        for _ in range(2):
            answer = visit.execute("decisions-decide")
            assert (answer.request.method, answer.status) == ("POST", 201)
            assert answer.url == f"{visit.address}/v1/decisions"
            bodies.append(answer.json())
        page.wait_for_selector("#operations-decisions-decide .live-responses-table")
        page.locator("#operations-decisions-decide .live-responses-table").scroll_into_view_if_needed()
        visit.picture("decided")

        assert [body["outcome"] for body in bodies] == ["PRE_APPROVED", "PRE_APPROVED"]
        assert bodies[0]["decision_id"] != bodies[1]["decision_id"]
        assert bodies[1]["supersedes"] == bodies[0]["decision_id"]
        assert visit.elsewhere == []
        assert visit.complaints == []

    def test_speaks_chinese_on_its_buttons(self, visit: Visit):
        block = visit.open("decisions-list_previews")

        # The button says Cancel once somebody tries it out.
        assert re.search("试一试|取消", visit.page.inner_text(f"{block} .try-out__btn"))
        assert "申请授信决策" in visit.page.inner_text("#operations-decisions-decide .opblock-summary")

    def test_takes_keys_of_every_role_and_tokens_and_says_which_role_is_needed(self, visit: Visit):
        operations = {"operations-metrics": "operator", "decisions-list_previews": "risk_analyst, auditor"}
        permitted = {"loan_system": 0, "loan_officer": 0, "risk_analyst": 1, "auditor": 1, "operator": 1}
        answered = {}
        for role in permitted:
            visit.authorise("ApiKey", visit.keys[role])
            answers = {operation: visit.execute(operation) for operation in operations}
            answered[role] = sum(answer.status == 200 for answer in answers.values())
            for operation, answer in answers.items():
                assert answer.status == 200 or operations[operation] in answer.json()["detail"]
        visit.authorise("Token", token(claims(roles=["auditor"], lenders=["*"])))

        assert answered == permitted
        assert visit.execute("decisions-list_previews").status == 200
        assert visit.execute("operations-metrics").status == 403
        assert visit.elsewhere == []
