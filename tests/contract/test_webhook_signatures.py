"""What we sign is what the official Standard Webhooks libraries verify, in Python and in JavaScript."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.adapters.webhook_secrets import new_secret, signed_headers
from tests.conftest import ROOT

BODY = '{"data":{"applicant":"示例","limit":"10000000.00"},"id":"dec_1","specversion":"1.0"}'.encode()
SCRIPT = """
const { Webhook } = require("standardwebhooks");
const asked = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const said = asked.map(({ secret, body, headers }) => {
  try { new Webhook(secret).verify(body, headers); return true; } catch (error) { return false; }
});
process.stdout.write(JSON.stringify(said));
"""
Asked = tuple[str, bytes, dict[str, str]]


def cases() -> tuple[list[Asked], list[bool]]:
    """This function will return what is to be verified, and whether it must hold."""
    secret, old, other = new_secret(), new_secret(), new_secret()
    now = datetime.now(UTC)
    sound = signed_headers((secret,), "dec_1", now, BODY)
    both = signed_headers((secret, old), "dec_1", now, BODY)
    stale = signed_headers((secret,), "dec_1", now - timedelta(hours=1), BODY)
    asked = [
        (secret, BODY, sound), (secret, BODY, both), (old, BODY, both),
        (other, BODY, both), (secret, BODY + b" ", sound), (secret, BODY, sound | {"webhook-id": "dec_2"}),
        (secret, BODY, stale), (secret, BODY, sound | {"webhook-timestamp": stale["webhook-timestamp"]}),
    ]  # fmt: skip
    return asked, [True] * 3 + [False] * 5


class TestASignature:
    def test_verifies_with_the_official_library_of_python_and_nothing_altered_does(self):
        asked, expected = cases()

        assert [verifies(*one) for one in asked] == expected

    @pytest.mark.needs_standardwebhooks
    def test_verifies_with_the_official_library_of_javascript_and_nothing_altered_does(
        self, needs_standardwebhooks: str
    ):
        asked, expected = cases()
        told = [{"secret": secret, "body": body.decode(), "headers": headers} for secret, body, headers in asked]
        finished = subprocess.run(
            [needs_standardwebhooks, "-e", SCRIPT], input=json.dumps(told), capture_output=True, text=True,
            cwd=ROOT / ".cache/node",
        )  # fmt: skip

        assert finished.returncode == 0, finished.stderr
        assert json.loads(finished.stdout) == expected


def verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """This function will ask the library."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
