"""jifendai keys: the signing key of the installation; api_keys.py has the API keys of those who call it."""

from __future__ import annotations

import argparse
import asyncio

from app.audit.operator_record import OPERATOR
from app.cli import signing_keys
from app.cli.installation import FAULTY, Refused, its_catalogue, its_database, its_settings, its_signer, say, show
from app.usecases.known_logs import KnownLogs, read_known_logs
from app.usecases.ports import StoreUnavailable


def create(options: argparse.Namespace) -> None:
    """This function will make the signing key, or with a role an API key."""
    if options.role is None:
        _create_signing_key(options)
        return
    from app.cli import api_keys

    api_keys.create(options)


def _create_signing_key(options: argparse.Namespace) -> None:
    if options.lender or options.branch or options.subject or options.expires is not None:
        raise Refused(FAULTY, "An API key needs --role; without it a signing key is made. 创建 API 密钥需要 --role")
    signing_keys.create(options)


def verifiers(options: argparse.Namespace) -> None:
    """This function will show the public keys of each log under its present name: while keys are changed, both."""
    settings = its_settings()
    signer = its_signer(settings)

    async def known() -> KnownLogs:
        try:
            async with its_database(settings) as database:
                return await read_known_logs(database.trail, settings.log_name, signer.public_keys)
        except (Refused, StoreUnavailable):
            say("The database cannot be read: these are the names of the first epoch. 无法读取数据库，按首个纪元列出")
            return KnownLogs(settings.log_name, signer.public_keys)

    logs = asyncio.run(known())
    for lender in sorted({*its_catalogue(settings).catalog.lenders, OPERATOR}):
        # The present name first; receipts of an earlier epoch verify under the name of then.
        for origin in reversed(logs.origins(lender)):
            show(*signer.verifier_keys(origin))
