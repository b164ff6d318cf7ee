"""jifendai platforms, jifendai platform-simulator."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from contextlib import suppress

from app.adapters.asked_platforms import deadline_faults
from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.clock import utc_now
from app.adapters.metrics import Metrics
from app.adapters.platform_files import PlatformsRefused, read_platforms, with_credentials
from app.adapters.platform_simulator import FREE, Fault, PlatformSimulator
from app.adapters.platforms import Platforms
from app.audit.application import score_document
from app.cli.installation import DONE, FAULTY, Refused, say, show, write
from app.domain.platform import AnswerRefused, PlatformUnavailable
from app.domain.uscc import normalised_uscc
from app.products.catalog import Catalog
from app.products.faults import CatalogueError
from app.products.parse import parse_catalogue
from app.products.platform_answers import check_against, read_answer
from app.products.schema import platform_schema, schema_text
from app.settings import Settings
from app.usecases.days import day_in_shanghai


def check(options: argparse.Namespace) -> int:
    """This function will name every fault of a folder of platform files."""
    settings = _settings(options.folder)
    faults: tuple[str, ...] = ()
    try:
        found = read_platforms(settings.platforms_dir, _catalog(settings))
        faults = deadline_faults(found, settings.request_deadline_s)
        with_credentials(found, settings.platforms_dir)
    except PlatformsRefused as refused:
        faults += refused.faults
    for fault in faults:
        show(fault)
    if faults:
        say(f"{len(faults)} faults 处错误")
        return FAULTY
    zones = ", ".join(found) or "no zone 无"
    say(f"No faults in the files of {len(found)} platforms. {len(found)} 个平台文件无错误: {zones}")
    return DONE


def schema(options: argparse.Namespace) -> None:
    """This function will write the JSON Schema of a platform's file, by which editors complete and check it."""
    write(schema_text(platform_schema()), options.output)


def ask(options: argparse.Namespace) -> int:
    """This function will ask one platform about one company, and show what would be decided by."""
    uscc = normalised_uscc(options.company)
    if uscc is None:
        raise Refused(FAULTY, f"{options.company} is no unified social credit code. 统一社会信用代码有误")
    settings = _settings(None)
    catalog = _catalog(settings)
    try:
        found = with_credentials(read_platforms(settings.platforms_dir, catalog), settings.platforms_dir)
    except PlatformsRefused as refused:
        raise Refused(FAULTY, *refused.faults) from None
    if options.zone not in found:
        raise Refused(FAULTY, f"There are platforms of: {', '.join(found) or 'no zone'}. 可选以上高新区")
    platforms = Platforms(found, Metrics())
    platform = platforms.of_zone(options.zone)
    try:
        answered = asyncio.run(platforms.ask(platform, uscc))
        score = read_answer(answered.status, answered.content, uscc=uscc, platform=platform, catalog=catalog)
        check_against(score, None, platform, day_in_shanghai(utc_now()))
    except PlatformUnavailable as silent:
        say(f"No answer 无应答: {silent.why.value}")
        return FAULTY
    except AnswerRefused as refused:
        say(f"An answer that is refused 答复被拒: {refused.why.value} {refused.member}".rstrip())
        return FAULTY
    show(json.dumps(score_document(score), ensure_ascii=False, indent=2))
    return DONE


def simulate(options: argparse.Namespace) -> None:
    """This function will run the simulator until it is told to stop."""
    faults = dict(map(_fault, options.fault))
    with suppress(KeyboardInterrupt):
        asyncio.run(_simulating(options.port, faults))


async def _simulating(port: int, faults: dict[str, Fault]) -> None:
    simulator = PlatformSimulator(lambda: day_in_shanghai(utc_now()))
    simulator.faults.update(faults)
    try:
        port = await simulator.start(port=port)
    except OSError as error:
        raise Refused(
            FAULTY, f"127.0.0.1:{port} cannot be listened on: {error.strerror}. 无法监听该端口",
            "Take another one 请换一个: --port 8091",
        ) from None  # fmt: skip
    show(
        f"Simulated score platforms 模拟积分平台: http://127.0.0.1:{port}/", "",
        f"  curl -s http://127.0.0.1:{port}/suzhou-snd/companies/{FREE['suzhou-snd']}",
        f"  curl -s -X PUT http://127.0.0.1:{port}/faults/suzhou-snd -d HANG        # {', '.join(Fault)}",
        f"  curl -s -X DELETE http://127.0.0.1:{port}/faults", "", "  Ctrl-C stops 停止",
    )  # fmt: skip
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await simulator.close()


def _fault(text: str) -> tuple[str, Fault]:
    who, _, name = text.partition("=")
    if not who or name.upper() not in Fault.__members__:
        raise Refused(FAULTY, f"--fault {text}: WHO=FAULT, where a fault is one of {', '.join(Fault)}. 故障名称有误")
    return who, Fault[name.upper()]


def _settings(folder: object) -> Settings:
    environment = dict(os.environ) | ({} if folder is None else {"JIFENDAI_PLATFORMS_DIR": str(folder)})
    settings = Settings.from_environment(environment)
    if settings.platforms_dir is None:
        raise Refused(FAULTY, "Name a folder, or set JIFENDAI_PLATFORMS_DIR. 请给出文件夹或设置 JIFENDAI_PLATFORMS_DIR")
    if not settings.platforms_dir.is_dir():
        raise Refused(FAULTY, f"There is no folder {settings.platforms_dir}. 没有此文件夹")
    return settings


def _catalog(settings: Settings) -> Catalog:
    try:
        return parse_catalogue(read_catalogue_files(settings.catalogue_dir))
    except CatalogueError as error:
        raise Refused(FAULTY, "The catalogue has faults 产品目录有误:", *map(str, error.faults)) from None
