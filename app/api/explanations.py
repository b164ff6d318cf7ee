"""Explanations over HTTP, as a document or as a page for the file.

Neighbours may rely on this: the parameters count before the headers, and without either the answer is JSON in
Chinese; a decision whose record is not what the rules decide from it is a problem, never an explanation of something
else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from app.api.calls import Call, LeanRoute, ThisCall
from app.api.explanation_document import explanation_document
from app.api.explanation_page import POLICY, explanation_page
from app.api.explanation_schemas import ExplanationAnswer
from app.api.fields import DecisionId
from app.api.problems import Problem
from app.api.schemas import Sent
from app.api.wording import Language
from app.usecases.explain import explain

router = APIRouter(route_class=LeanRoute, tags=["decisions"])


class ExplanationQuery(Sent):
    """In which language, and in which form."""

    lang: Literal["zh", "en"] | None = Field(
        None, description="语言；缺省依 Accept-Language，再缺省为中文。Language; else Accept-Language, else Chinese."
    )
    format: Literal["json", "html"] | None = Field(
        None, description="形式；缺省依 Accept。html 可打印为一页 A4。Form; else Accept. html prints on one A4 sheet."
    )


_HTML: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html": {"schema": {"type": "string", "maxLength": 1_000_000}}}}
}


@router.get("/v1/decisions/{decision_id}/explanation", response_model=ExplanationAnswer, responses=_HTML)
async def explain_decision(
    call: ThisCall, decision_id: Annotated[DecisionId, Path()], query: Annotated[ExplanationQuery, Query()]
) -> Response:
    """决策说明 Why a decision came out as it did, and what would change it exactly

    为何如此、额度由哪一项决定、各项准入的要求与实际、怎样会不同（逐条以原规则重新决策验证）、各数值的来源。
    Why this outcome, which component set the limit, each gate with what it requires and what it found, what would
    change it (each proved by deciding again), and where each figure comes from.
    """
    found = await call.stored_decision(decision_id)
    try:
        explanation = explain(found)
    except ValueError:
        raise Problem("not-explainable") from None
    language = query.lang or _language(call)
    document = explanation_document(explanation, language)
    headers = {"Content-Language": "zh-CN" if language == "zh" else "en", "Vary": "Accept, Accept-Language"}
    if (query.format or _form(call)) == "json":
        return Response(orjson.dumps(document), headers=headers, media_type="application/json")
    headers["Content-Security-Policy"] = POLICY
    return Response(explanation_page(document, language), headers=headers, media_type="text/html; charset=utf-8")


def _language(call: Call) -> Language:
    """The language of ours that the caller likes best; Chinese where none is named."""
    liked = _preferred(call, b"accept-language")
    for name in liked:
        primary = name.partition("-")[0]
        if primary in ("zh", "en"):
            return "zh" if primary == "zh" else "en"
    return "zh"


def _form(call: Call) -> Literal["json", "html"]:
    for kind in _preferred(call, b"accept"):
        if kind in ("text/html", "application/json"):
            return "html" if kind == "text/html" else "json"
    return "json"


def _preferred(call: Call, header: bytes) -> list[str]:
    """What a header lists, the best liked first; what is not of its form counts for nothing."""
    listed = []
    for part in b",".join(call.header_values(header)).decode("latin-1").split(",")[:20]:
        name, *options = (piece.strip().lower() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        if weight[:5].replace(".", "", 1).isdigit() and weight.isascii():
            listed.append((weight[:5].ljust(5, "0") if "." in weight else f"{weight[:1]}.000", name))
    return [name for weight, name in sorted(listed, key=lambda row: row[0], reverse=True) if weight > "0.000"]
