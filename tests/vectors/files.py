"""Where the vectors lie, and how they are written and read."""

import json
from pathlib import Path

from tests.vectors.checkpoints import CHECKPOINTS
from tests.vectors.consistency import CONSISTENCY
from tests.vectors.exports import EXPORTS
from tests.vectors.receipts import RECEIPTS

FOLDER = Path(__file__).parent
KINDS = {"receipt": RECEIPTS, "checkpoint": CHECKPOINTS, "consistency": CONSISTENCY, "export": EXPORTS}


def written() -> dict[str, str]:
    """This function will return every file's path below the folder with the text it should have."""
    return {
        f"{kind}/{name}.json": json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        for kind, vectors in KINDS.items()
        for name, content in vectors.items()
    }


def on_disk() -> dict[str, str]:
    """This function will return every vector file's path below the folder with the text it has."""
    paths = sorted(FOLDER.glob("*/*.json"))
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes().decode() for path in paths}


def write_all() -> None:
    """This function will write the files that should be there, and remove those that should not."""
    for path in FOLDER.glob("*/*.json"):
        path.unlink()
    for name, content in written().items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_bytes(content.encode())
