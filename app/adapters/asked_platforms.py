"""The platforms that one process asks: those of a folder, or the demonstration's, which a simulator answers for.

Neighbours may rely on this: whoever opens them closes them, and then nothing of them runs any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.adapters.http_client import CallFailed, Deadline, call
from app.adapters.metrics import Metrics
from app.adapters.platform_files import (
    SIMULATED,
    Credentials,
    PlatformsRefused,
    read_platform_files,
    read_platforms,
    with_credentials,
)
from app.adapters.platform_simulator import PORT, PlatformSimulator
from app.adapters.platforms import Platforms
from app.domain.platform import ScorePlatform
from app.products.catalog import Catalog
from app.products.faults import CatalogueError
from app.products.platforms import parse_platforms
from app.usecases.platforms import ScoreLookups

_REACHED_WITHIN_S: Final = 5.0


@dataclass(slots=True)
class AskedPlatforms:
    """What asks, and in a demonstration what answers; `lookups` is filled in by whoever opened it."""

    platforms: Platforms
    simulator: PlatformSimulator | None = None
    lookups: ScoreLookups | None = None

    async def close(self) -> None:
        """This function will wait for what is under way."""
        if self.simulator is not None:
            await self.simulator.close()
        await self.platforms.close()


def asked_platforms(
    folder: Path, catalog: Catalog, metrics: Metrics, *, request_deadline_s: int
) -> AskedPlatforms:
    """This function will return the platforms of a folder. Raises PlatformsRefused, OSError."""
    found = read_platforms(folder, catalog)
    if faults := deadline_faults(found, request_deadline_s):
        raise PlatformsRefused(faults)
    return _opened(found, folder, metrics)


def deadline_faults(found: Mapping[str, ScorePlatform], request_deadline_s: int) -> tuple[str, ...]:
    """This function will name the platforms that may take longer than a request."""
    return tuple(
        f"{zone}.yaml: deadline_ms is {platform.deadline_ms}, and a request ends after {request_deadline_s} s: leave "
        "it a second more, or raise JIFENDAI_REQUEST_DEADLINE_S. 平台时限须短于请求时限"
        for zone, platform in found.items()
        if platform.deadline_ms > (request_deadline_s - 1) * 1_000
    )


async def simulated_platforms(catalog: Catalog, metrics: Metrics, today: Callable[[], date]) -> AskedPlatforms:
    """This function will start a simulator on a free port of this machine and return its zones' platforms, as far as
    the catalogue has them.
    """
    files = await asyncio.to_thread(_simulated_files, catalog)
    simulator = PlatformSimulator(today)
    port = await simulator.start()
    found = {
        zone: replace(platform, address=platform.address.replace(f":{PORT}/", f":{port}/"))
        for zone, platform in files.items()
    }
    opened = _opened(found, SIMULATED, metrics)
    return replace(opened, simulator=simulator)


def _simulated_files(catalog: Catalog) -> Mapping[str, ScorePlatform]:
    found: dict[str, ScorePlatform] = {}
    for name, content in read_platform_files(SIMULATED).items():
        # A bank that tries its own catalogue out may not have these zones, or score them by other schemes.
        with suppress(CatalogueError):
            found |= parse_platforms({name: content}, catalog)
    return found


async def not_reached(found: Mapping[str, tuple[ScorePlatform, Credentials]]) -> Mapping[str, str]:
    """This function will return the zones whose platform's server cannot be reached, and why; no company is named."""
    reasons = {}
    for zone, (platform, credentials) in found.items():
        address = urlsplit(platform.address)
        try:
            await call(
                "HEAD", f"{address.scheme}://{address.netloc}/", headers={}, deadline=Deadline(_REACHED_WITHIN_S),
                largest_bytes=platform.largest_bytes, tls=credentials.tls,
            )  # fmt: skip
        except CallFailed as failed:
            reasons[zone] = failed.failure.value
    return reasons


def _opened(found: Mapping[str, ScorePlatform], folder: Path, metrics: Metrics) -> AskedPlatforms:
    platforms = Platforms(with_credentials(found, folder), metrics)
    metrics.watch_platforms(lambda: len(platforms.resting()))
    return AskedPlatforms(platforms)
