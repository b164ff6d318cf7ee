"""Platform files: one YAML file a zone, read as strictly as the catalogue's.

Neighbours may rely on this: `parse_platforms` is pure and names every fault with file, line, what and how to mend; what
it answers fits the catalogue's zones and schemes. It reads no other file: whether a secret is there, and nobody else
may read it, is for whoever opens the connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.domain.company import InnovationScore, RankScope, ScoreState
from app.domain.platform import (
    AnswerChecks,
    AnswerMap,
    AnswerSignature,
    Authentication,
    AuthenticationKind,
    DayForm,
    Envelope,
    Member,
    ScorePlatform,
    SignatureKind,
)
from app.products.catalog import Catalog
from app.products.faults import Faults, Place
from app.products.forms import (
    CODE,
    REFERENCES,
    WORDS,
    Choice,
    Coded,
    Form,
    ListOf,
    MapOf,
    Number,
    Reading,
    Record,
    Section,
    Text,
    Unreadable,
    Whole,
)
from app.products.reader import read_yaml

_FILE = re.compile(rf"({CODE})\.yaml")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?")
_POINTER = Coded(r"(/([!-.0-}]|~[01])*)+|/", "/data/score")
_HEADER = Coded(r"[A-Za-z][A-Za-z0-9-]*", "X-Api-Key")
_FILE_NAME = Text(200)

# ---- the file --------------------------------------------------------------------------------------------------------

_WORDS_OF_THEIRS = Text(64)


def _member(values: Form | None = None, *, day: bool = False) -> Record:
    """A part of the answer: where it stands, or what it always is."""
    optional: dict[str, Form] = {"at": _POINTER, "constant": Text(64) if values is None else values}
    if values is not None:
        optional["values"] = MapOf(_WORDS_OF_THEIRS, values)
    if day:
        del optional["constant"]
        optional["form"] = Choice(DayForm)
    return Record({}, optional, finish=_to_member)


def _to_member(section: Section, reading: Reading) -> Member:
    if ("at" in section) == ("constant" in section):
        reading.refuse(
            section.place,
            "a part of the answer is either `at` a place in it or `constant`",
            "Write at: /data/score, or constant: the value that it always has.",
        )
    return Member(
        at=section.get("at"),
        constant=section.get("constant"),
        values={str(theirs): str(ours) for theirs, ours in section["values"].items()} if "values" in section else None,
        form=section.get("form", DayForm.ISO),
    )


_FLAGS = Coded(r"true|false", '"true"')
_CODED = Coded()
_PARTS: Mapping[str, Form] = {
    "uscc": _member(),
    "state": _member(Choice(ScoreState)),
    "scheme_version": _member(),
    "value": _member(),
    "grade": _member(Coded(r"[A-Za-z][A-Za-z0-9+-]*", "AA")),
    "vetoed": _member(_FLAGS),
    "stage": _member(_CODED),
    "field": _member(_CODED),
    "rank_position": _member(),
    "rank_within": _member(Choice(RankScope)),
    "as_of": _member(day=True),
    "valid_until": _member(day=True),
    "reference": _member(),
}
_NEEDED = ("uscc", "state", "as_of")

_ANSWER = Record(
    {name: _PARTS[name] for name in _NEEDED},
    {
        **{name: form for name, form in _PARTS.items() if name not in _NEEDED},
        "envelope": Record({"at": _POINTER, "answered": ListOf(_WORDS_OF_THEIRS)}, {"not_found": ListOf(Text(64))}),
        "not_found_status": Whole(400, 499, "404"),
    },
)
_SIGNATURE = Record(
    {"kind": Choice(SignatureKind), "header": _HEADER},
    {"secret_file": _FILE_NAME, "public_key": Coded(r"[A-Za-z0-9+/]{43}=", '"MCow…="')},
)
_AUTHENTICATION = Record(
    {"kind": Choice(AuthenticationKind)},
    {
        "header": _HEADER, "prefix": Text(32), "key_id": Text(128), "secret_file": _FILE_NAME,
        "certificate_file": _FILE_NAME, "private_key_file": _FILE_NAME,
    },
)  # fmt: skip
PLATFORM = Record(
    {
        "scheme": _CODED,
        "address": Text(500),
        "authentication": _AUTHENTICATION,
        "checks": Record({name: Number(Decimal(0)) for name in ("least", "most", "largest_change")}),
    },
    {
        "name": WORDS,
        "body": MapOf(Text(64), Text(200)),
        "deadline_ms": Whole(50, 20_000, "2_000"),
        "largest_bytes": Whole(256, 1_000_000, "65_536"),
        "authority_file": _FILE_NAME,
        "signature": _SIGNATURE,
        "answer": _ANSWER,
        "references": REFERENCES,
    },
)

NEUTRAL = AnswerMap(
    {
        "uscc": Member("/uscc"),
        **{
            name: Member(f"/innovation_score/{name}")
            for name in InnovationScore.__dataclass_fields__
            if name not in ("rank", "source")
        },
        "rank_position": Member("/innovation_score/rank/position"),
        "rank_within": Member("/innovation_score/rank/within"),
        "reference": Member("/reference"),
    }
)
"""The neutral protocol (docs/platforms.md): a score in the very form in which a request sends one."""


def parse_platforms(files: Mapping[str, bytes], catalog: Catalog) -> Mapping[str, ScorePlatform]:
    """This function will read the files, by name, and return the platforms by zone. Raises CatalogueError."""
    faults, found = Faults(), {}
    for file in sorted(files):
        named = _FILE.fullmatch(file)
        if named is None or not catalog.knows_zone(named[1]):
            what = "no zone of the catalogue is called so"
            faults.add(Place(file, 1), what, "A platform's file is called <zone>.yaml, such as fuxin.yaml.")
            continue
        top = read_yaml(file, files[file], faults)
        if top is None:
            continue
        try:
            section = PLATFORM.read(top, Reading(faults))
            faults_so_far = faults.all()
            if not any(fault.file == file for fault in faults_so_far):
                found[named[1]] = _platform(named[1], section, catalog, faults)
        except Unreadable:
            continue
    faults.refuse()
    return found


# ---- what fits together ----------------------------------------------------------------------------------------------


def _platform(zone: str, section: Section, catalog: Catalog, faults: Faults) -> ScorePlatform:
    _check_address(section, faults)
    _check_authentication(section, faults)
    _check_signature(section, faults)
    _check_codes(zone, section, catalog, faults)
    sent, checks = section["authentication"], section["checks"]
    signed = section.get("signature")
    if checks["least"] > checks["most"]:
        faults.add(checks.places["least"], "least is above most", "Write the scale's two ends.")
    return ScorePlatform(
        zone=zone,
        scheme=section["scheme"],
        address=section["address"],
        authentication=Authentication(**sent),
        answer=_answer(section.get("answer")),
        checks=AnswerChecks(checks["least"], checks["most"], checks["largest_change"]),
        signature=None if signed is None else AnswerSignature(
            signed["kind"], signed["header"], signed.get("secret_file", ""), signed.get("public_key", "")
        ),
        body=None if "body" not in section else dict(section["body"]),
        deadline_ms=section.get("deadline_ms", 2_000),
        largest_bytes=section.get("largest_bytes", 65_536),
        authority_file=section.get("authority_file", ""),
    )  # fmt: skip


def _answer(section: Section | None) -> AnswerMap:
    if section is None:
        return NEUTRAL
    said = section.get("envelope")
    return AnswerMap(
        {name: section[name] for name in _PARTS if name in section},
        None if said is None else Envelope(said["at"], tuple(said["answered"]), tuple(said.get("not_found", ()))),
        section.get("not_found_status"),
    )


def _check_address(section: Section, faults: Faults) -> None:
    place, address = section.places["address"], section["address"]
    found = _ADDRESS.fullmatch(address)
    if found is None:
        faults.add(place, "the address is not one of http or https without a user", "Write https://host/path/{uscc}.")
        return
    if found[1] == "http" and found[2] not in _LOOPBACK:
        what = "the address is not encrypted, and not on this machine"
        faults.add(place, what, "Write https://; http is for a simulator on 127.0.0.1 alone.")
    places = address.count("{uscc}") + sum(text.count("{uscc}") for text in section.get("body", {}).values())
    if places == 0 or "{" in re.sub(r"\{uscc\}", "", address) or "{uscc}" in found[2]:
        faults.add(place, "the company's code has no place in the question", "Write {uscc} in the path, query or body.")


_NEEDS: Mapping[AuthenticationKind, tuple[str, ...]] = {
    AuthenticationKind.NONE: (),
    AuthenticationKind.KEY: ("header", "secret_file"),
    AuthenticationKind.HMAC: ("key_id", "secret_file"),
    AuthenticationKind.CERTIFICATE: ("certificate_file", "private_key_file"),
}
_MAY: Mapping[AuthenticationKind, tuple[str, ...]] = {AuthenticationKind.KEY: ("prefix",)}


def _check_authentication(section: Section, faults: Faults) -> None:
    sent = section["authentication"]
    kind: AuthenticationKind = sent["kind"]
    for name in _NEEDS[kind]:
        if name not in sent:
            faults.add(sent.place, f"authentication by {kind} has no {name}", f"Add {name}.")
    for name in sent:
        if name not in ("kind", *_NEEDS[kind], *_MAY.get(kind, ())):
            faults.add(sent.places[name], f"authentication by {kind} has no use for {name}", "Remove it.")
    found = _ADDRESS.fullmatch(section["address"])
    if kind is AuthenticationKind.NONE and found is not None and found[2] not in _LOOPBACK:
        what = "nobody is authenticated, and the platform is not on this machine"
        faults.add(sent.place, what, "Write kind: KEY, HMAC or CERTIFICATE.")
    if kind is AuthenticationKind.CERTIFICATE and found is not None and found[1] == "http":
        faults.add(sent.place, "a certificate is shown over https alone", "Write https:// in the address.")


def _check_signature(section: Section, faults: Faults) -> None:
    signed: Any = section.get("signature")
    if signed is None:
        return
    needed, other = "secret_file", "public_key"
    if signed["kind"] is SignatureKind.ED25519:
        needed, other = other, needed
    if needed not in signed or other in signed:
        what = f"a signature by {signed['kind']} needs {needed}, and no {other}"
        faults.add(signed.place, what, f"Keep {needed} alone.")


def _check_codes(zone: str, section: Section, catalog: Catalog, faults: Faults) -> None:
    """Words of the platform are turned into codes that the zone's scheme has."""
    if not catalog.knows_scheme(zone, section["scheme"]):
        faults.add(section.places["scheme"], f"the zone has no scheme {section['scheme']}", "Name one of its file's.")
        return
    answer = section.get("answer", {})
    for name, knows in (
        ("stage", catalog.knows_stage), ("grade", catalog.knows_grade), ("field", catalog.knows_field)
    ):  # fmt: skip
        member: Member | None = answer.get(name)
        if member is None:
            continue
        for code in (*(member.values or {}).values(), *([member.constant] if member.constant else [])):
            if not knows(zone, code):
                faults.add(answer.places[name], f"the zone's scheme has no {name} {code}", "Name one of its file's.")
    if ("rank_position" in answer) != ("rank_within" in answer):
        faults.add(answer.place, "a rank has a position and a scope", "Write rank_position and rank_within.")
