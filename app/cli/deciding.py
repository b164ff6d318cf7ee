"""jifendai decide: an application from a file, through the same desk as the API's."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from app.adapters.clock import utc_now
from app.adapters.identifiers import new_uuid7
from app.api.applications import explained_application
from app.api.bodies import checked_document
from app.api.calls import Services
from app.api.examples import decision_examples
from app.api.problems import Problem, obstacle_problem
from app.api.schemas import PreviewRequest
from app.api.shelf import shelf_document
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.cli.installation import (
    FAULTY,
    NOT_READY,
    Refused,
    its_database,
    its_settings,
    make_data_dir,
    say,
    show,
    subject,
    write,
)
from app.main import create_app
from app.usecases.days import day_in_shanghai
from app.usecases.decide import submission_of
from app.usecases.preview import Preview, preview, previewed_document
from app.usecases.shelf import shelf_rows


def decide(options: argparse.Namespace) -> None:
    """This function will decide, or preview, the application in a file and show the answer."""
    if options.on and not options.preview:
        raise Refused(
            FAULTY, "--on goes with --preview: a decision's day is the service's own. --on 只能与 --preview 同用"
        )
    body, work = given(options.application), _previewed if options.preview else _decided
    show_answer(lambda services: work(services, options, body))


def example(options: argparse.Namespace) -> None:
    """This function will show an application that works today, to begin with."""
    found = {e.name: e.document for e in decision_examples(day_in_shanghai(utc_now()))}
    if options.name not in found:
        raise Refused(FAULTY, f"There are examples named {', '.join(found)}. 可选以上示例")
    write(json.dumps(found[options.name], ensure_ascii=False, indent=2) + "\n", options.output)


def given(name: str) -> bytes:
    """This function will read what a command is given: a file, or standard input for "-". Raises Refused."""
    return sys.stdin.buffer.read() if name == "-" else _read(Path(name))


def show_answer(work: Callable[[Services], Awaitable[Any]]) -> None:
    """This function will have the services of this installation do the work, without a server, and show what they
    answer. Raises Refused, with the problem's own words.
    """
    show(asyncio.run(_answered(work)).decode())


async def _answered(work: Callable[[Services], Awaitable[Any]]) -> bytes:
    settings = its_settings()
    settings.check()
    make_data_dir(settings)
    if not settings.demo:
        # What its start would stumble over is said in words.
        async with its_database(settings):
            pass
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        services = app.state.services
        if faults := await services.ready():
            raise Refused(NOT_READY, *(fault.words for fault in faults))
        try:
            found = await work(services)
        except Exception as reason:
            problem = reason if isinstance(reason, Problem) else obstacle_problem(reason)
            if problem is None:
                raise
            code = NOT_READY if problem.kind.status >= 500 else FAULTY
            raise Refused(code, *_problem_lines(problem)) from None
    return orjson.dumps(found, option=orjson.OPT_INDENT_2)


async def _decided(services: Services, options: argparse.Namespace, body: bytes) -> Any:
    key = options.key or f"cli-{new_uuid7()}"
    document, application = explained_application(body)
    if services.lookups is not None and services.lookups.wants(application):
        application = await services.lookups.for_decision(application, services.decisions, key)
    asked = submission_of(document, application, idempotency_key=key, submitted_by=subject())
    say(f"Idempotency-Key: {key}")
    answer = await services.desk.submit(asked)
    if answer.replayed:
        say("This key had been answered before; this is that answer. 此键已有答复，原样给出")
    document = orjson.loads(answer.body)
    say(_summary(document))
    return document


def _summary(document: dict[str, Any]) -> str:
    """A line for whoever does not want to read the whole answer."""
    place, offer = document["audit_record"], document["offer"]
    told = [document["outcome"]]
    if offer is not None:
        told.append(f"{Decimal(offer['credit_limit']):,} 元, indicative until 有效期至 {offer['expires_on']}")
    return " · ".join((*told, f"recorded 已记录 {place['origin']} #{place['index']}"))


async def _previewed(services: Services, options: argparse.Namespace, body: bytes) -> Any:
    document, _ = checked_document(PreviewRequest, body)
    fingerprint = sha256(canonical_bytes(document)).digest()
    at, day = services.now(), document.pop("on", None)
    on = options.on or (date.fromisoformat(day) if day else day_in_shanghai(at))
    document["product"] = document.get("product") or ""
    asked = Preview(
        application_from_document(document), fingerprint, subject(), lenders=services.lenders, at=at, on=on
    )
    found = await preview(
        asked,
        catalogue=services.catalogue,
        decisions=services.decisions,
        previews=services.previews,
        pools=services.pools,
        budgets=services.budgets,
        new_id=services.new_id,
        lookups=services.lookups if on == day_in_shanghai(at) else None,
    )
    rows = None if document["product"] else shelf_document(shelf_rows(found, services.catalogue.catalog, on))
    return {"on": on.isoformat(), "items": [previewed_document(one, at) for one in found], "shelf": rows}


def _problem_lines(problem: Problem) -> list[str]:
    body = problem.body()
    places = [(e.get("pointer") or "/", e["message"]) for e in body.get("errors", ())]
    return [body["title"], body["detail"], *(f"  {place}: {words['zh']}; {words['en']}" for place, words in places)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(FAULTY, f"{path} cannot be read: {error.strerror}. 无法读取文件") from None
