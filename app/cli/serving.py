"""jifendai serve, jifendai migrate."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket

from app.adapters import server
from app.adapters.clock import utc_now
from app.adapters.log_lines import log_to_stderr
from app.api.edge import current_request_id
from app.api.examples import pre_approved
from app.api.problems import connection_refusals
from app.cli.doctor import refuse_a_database_that_loses, refuse_what_the_doctor_warns_of
from app.cli.installation import (
    NOT_READY,
    Refused,
    its_settings,
    make_data_dir,
    migrate_its_database,
    say,
    show,
    with_valid_address,
)
from app.main import create_app
from app.settings import Settings
from app.usecases.days import day_in_shanghai


def serve(options: argparse.Namespace) -> None:
    """This function will run the service until it is told to stop."""
    settings = with_valid_address(Settings.from_environment(os.environ))
    settings.check()
    try:
        bound = server.listener(settings.host, settings.port)
    except OSError as error:
        raise Refused(
            NOT_READY,
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}. 无法监听该地址与端口",
            "If another program has the port, take another one 若端口已被占用，请换一个: JIFENDAI_PORT=8001",
        ) from None
    log_to_stderr(current_request_id)
    with asyncio.Runner(loop_factory=server.new_event_loop) as runner:
        runner.run(_serving(settings, bound))


async def _serving(settings: Settings, bound: socket.socket) -> None:
    app = create_app(settings)
    if not settings.demo:
        make_data_dir(settings)
        # The first of several replicas works, the others wait for it and find the work done.
        await asyncio.to_thread(migrate_its_database, settings)
    if not settings.demo and not settings.accept_data_loss:
        await refuse_a_database_that_loses(settings)
    if settings.strict:
        await refuse_what_the_doctor_warns_of(settings)
    async with app.router.lifespan_context(app):
        await server.serve(
            app, bound,
            started=lambda: _announce(settings, bound.getsockname()[1]),
            stopping=lambda: setattr(app.state, "stopping", True),
            refusals=connection_refusals(),
            forwarded_allow_ips=settings.forwarded_allow_ips,
        )  # fmt: skip


def _announce(settings: Settings, port: int) -> None:
    # Only shown; what is listened on is the operator's choice.
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # nosec B104
    address = f"http://{host}:{port}"
    lines = [f"Jifendai 积分贷: {address}/docs"]
    if settings.demo:
        lines = _demo_lines(settings, address)
    show(*lines)


def _demo_lines(settings: Settings, address: str) -> list[str]:
    keys = json.loads(settings.demo_keys_file.read_text("utf-8"))
    body = json.dumps(pre_approved(day_in_shanghai(utc_now())), ensure_ascii=False, separators=(",", ":"))
    curl = (
        f"curl -sSw '\\n' {address}/v1/decisions -H 'Authorization: Bearer {keys['loan_system']}' "
        f"-H 'Content-Type: application/json' -H \"Idempotency-Key: demo-$(date +%s%N)\" -d '{body}'"
    )
    return [
        "", "Jifendai 积分贷 · demonstration 演示", "",
        f"  Swagger UI   {address}/docs", "",
        f"  API keys 密钥 ({settings.demo_keys_file})",
        *(f"    {name:<15}{key}" for name, key in keys.items()), "",
        "  A first decision: paste this into another terminal 首个决策：粘贴到另一终端", "", curl, "",
        "  Without a score 未附积分: jifendai example fetched; simulated platforms answer 由模拟平台答复", "",
        f"  Ctrl-C stops 停止; everything lies in 数据位于 {settings.data_dir}/", "",
    ]  # fmt: skip


def bring_up_to_date(options: argparse.Namespace) -> None:
    """This function will bring the database to the newest tables."""
    settings = its_settings()
    make_data_dir(settings)
    migrate_its_database(settings)
    say("The database has the newest tables. 数据库已是最新")
