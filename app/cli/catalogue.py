"""jifendai products, jifendai catalogue, jifendai openapi."""

from __future__ import annotations

import argparse
import asyncio
import json
import os

from app.adapters.catalogue_files import read_catalogue_files
from app.audit.operator_record import OperatorAct
from app.cli.installation import (
    DONE,
    FAULTY,
    Refused,
    its_catalogue,
    its_database,
    its_records,
    its_settings,
    say,
    show,
    subject,
    write,
)
from app.products.analysis import remarks
from app.products.faults import CatalogueError
from app.products.parse import parse_catalogue
from app.products.schema import SCHEMAS
from app.settings import Settings


def openapi(options: argparse.Namespace) -> None:
    """This function will write the published contract."""
    # Imported here, so that whoever checks product files does not wait for the web framework.
    from app.main import openapi_yaml

    write(openapi_yaml(), options.output)


def check(options: argparse.Namespace) -> int:
    """This function will name every fault of a catalogue, or what is worth a second look."""
    folder = options.folder or Settings.from_environment(os.environ).catalogue_dir
    if not folder.is_dir():
        raise Refused(FAULTY, f"There is no folder {folder}. 没有此文件夹")
    try:
        catalog = parse_catalogue(read_catalogue_files(folder))
    except CatalogueError as error:
        for fault in error.faults:
            show(f"{folder / fault.file}:{fault.line}: {fault.what}\n    mend 修改: {fault.mend}")
        say(f"{len(error.faults)} faults 处错误")
        return FAULTY
    warnings = remarks(catalog)
    for remark in warnings:
        show(f"{folder / remark.file}:{remark.line}: warning 提示: {remark.what}\n    mend 修改: {remark.mend}")
    count = len(catalog.sources.products)
    say(f"No faults in {count} products, {len(warnings)} warnings. {count} 个产品无错误，{len(warnings)} 处提示")
    return DONE


def schema(options: argparse.Namespace) -> None:
    """This function will write the JSON Schema of one kind of file, or of all by kind."""
    if options.kind is not None and options.kind not in SCHEMAS:
        raise Refused(FAULTY, f"There are schemas of: {', '.join(SCHEMAS)}. 可选以上各项")
    schemas = SCHEMAS[options.kind]() if options.kind else {kind: make() for kind, make in SCHEMAS.items()}
    write(json.dumps(schemas, ensure_ascii=False, indent=2) + "\n", options.output)


def activate(options: argparse.Namespace) -> None:
    """This function will let the installation's catalogue decide from now on."""
    settings = its_settings()
    catalogue, by = its_catalogue(settings), subject()
    recording = its_records(settings).recording(OperatorAct.CATALOGUE_ACTIVATED, {"catalogue": catalogue.digest}, by=by)

    async def record() -> None:
        async with its_database(settings) as database:
            standing = await database.catalogue.activate(catalogue.digest, by, recording)
            since = f"{standing.activated_at:%Y-%m-%d %H:%M:%SZ}"
            show(f"{standing.digest} decides since 生效自 {since}, activated by 启用人 {standing.activated_by}")

    asyncio.run(record())
