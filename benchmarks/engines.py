"""Other people's rule engines, each carrying out the same table as well as its kind allows.

Neighbours may rely on this: an engine is made once from tables; `answer` takes a product and flat facts and returns
the lines named in `table.OUTPUTS` that it knows, with `outcome` always among them. Each class says which of the
engine's modes it is and why that one is the fastest of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import business_rules
import json_logic
import zen
from business_rules.actions import BaseActions, rule_action
from business_rules.fields import FIELD_NO_INPUT, FIELD_TEXT
from business_rules.operators import BaseType, type_operator
from business_rules.variables import BaseVariables, rule_variable

from benchmarks.table import OUTPUTS, Flat, Table, Tree

Answer = Mapping[str, Any]


# --- zen-engine ------------------------------------------------------------------------------------------------

_INFIX = {"<=": "<=", ">=": ">=", "<": "<", ">": ">", "===": "==", "!==": "!=", "+": "+", "-": "-", "*": "*", "/": "/"}
_INFIX |= {"and": "and", "or": "or"}


def zen_source(tree: Tree, name_of: Callable[[str], str] = str) -> str:
    """This function will write a tree in zen's expression language."""
    if not isinstance(tree, dict):
        return json.dumps(tree)
    ((operator, operands),) = tree.items()
    if operator == "var":
        return name_of(operands) if operands else "#"
    inner = [zen_source(operand, name_of) for operand in operands]
    match operator:
        case "if":
            *pairs, last = inner
            chain = [f"{test} ? {value} : " for test, value in zip(pairs[::2], pairs[1::2], strict=True)]
            return f"({''.join(chain)}{last})"
        case "!":
            return f"(not {inner[0]})"
        case "in":
            return f"({inner[0]} in {inner[1]})"
        case "some":
            return f"some({inner[0]}, {inner[1]})"
        case "starts_with":
            return f"startsWith({inner[0]}, {inner[1]})"
        case "floor":
            return f"floor({inner[0]})"
        case "min" | "max":
            return f"{operator}([{', '.join(inner)}])"
        case _:
            return f"({f' {_INFIX[operator]} '.join(inner)})" if len(inner) > 1 else inner[0]


_TRACED, _UNTRACED = {"trace": True}, {"trace": False}


def _static_engine(tables: Iterable[Table]) -> zen.ZenEngine:
    content = {t.product: zen_graph(t) for t in tables}
    return zen.ZenEngine({"loader": {"type": "static", "content": content}})


def zen_graph(table: Table) -> dict[str, Any]:
    """This function will write a table as a decision graph with one expression node: its lines all appear in the
    trace.
    """
    earlier: set[str] = set()
    expressions = []
    for name, tree in table.lines:
        # Within a node a line sees the ones before it as $.name.
        source = zen_source(tree, lambda used: f"$.{used}" if used in earlier else used)
        expressions.append({"id": name, "key": name, "value": source})
        earlier.add(name)
    return {
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode"},
            {"id": "rules", "name": "rules", "type": "expressionNode", "content": {"expressions": expressions}},
            {"id": "out", "name": "out", "type": "outputNode"},
        ],
        "edges": [
            {"id": "1", "sourceId": "in", "targetId": "rules", "type": "edge"},
            {"id": "2", "sourceId": "rules", "targetId": "out", "type": "edge"},
        ],
    }


class ZenCreated:
    """zen-engine as its documentation shows it: create_decision() once a product, then evaluate()."""

    def __init__(self, tables: Iterable[Table]) -> None:
        engine = zen.ZenEngine()
        self._decisions = {t.product: engine.create_decision(json.dumps(zen_graph(t))) for t in tables}

    def answer(self, product: str, facts: Flat) -> Answer:
        """This function will evaluate without a trace."""
        return self._decisions[product].evaluate(facts, _UNTRACED)["result"]

    def traced(self, product: str, facts: Flat) -> Mapping[str, Any]:
        """This function will evaluate with a trace."""
        return self._decisions[product].evaluate(facts, _TRACED)["trace"]


class ZenLoaded:
    """zen-engine's fastest evaluate(): graphs handed to a static loader are compiled once, and not at each call."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._engine = _static_engine(tables)

    def answer(self, product: str, facts: Flat) -> Answer:
        """This function will evaluate without a trace."""
        return self._engine.evaluate(product, facts, _UNTRACED)["result"]

    def traced(self, product: str, facts: Flat) -> Mapping[str, Any]:
        """This function will evaluate with a trace."""
        return self._engine.evaluate(product, facts, _TRACED)["trace"]


class ZenBatch:
    """zen-engine's evaluate_batch(), without a trace: all requests of a batch in one call."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._engine = _static_engine(tables)

    def answers(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """This function will evaluate many requests, each a key and a context."""
        return [found["data"]["result"] for found in self._engine.evaluate_batch(requests, _UNTRACED)]


class ZenCompiled:
    """zen-engine's compiled expressions, without a trace: one program a product, that gives only what is offered."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._programs = {t.product: zen.compile_expression(_program(t)) for t in tables}

    def answer(self, product: str, facts: Flat) -> Answer:
        """This function will run the product's program."""
        return self._programs[product].evaluate(facts)


def _program(table: Table) -> str:
    lines = "; ".join(f"{name} = {zen_source(tree)}" for name, tree in table.lines)
    return f"{lines}; {{{', '.join(f'{name}: {name}' for name in OUTPUTS)}}}"


# --- JSON-logic ------------------------------------------------------------------------------------------------

json_logic.add_operation("floor", lambda number: int(number // 1))
json_logic.add_operation("starts_with", lambda text, prefix: text.startswith(prefix))


class JsonLogic:
    """json-logic-qubit: line after line, each answer put beside the facts; a decline stops it early."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = {t.product: t for t in tables}

    def answer(self, product: str, facts: Flat) -> Answer:
        """This function will evaluate the product's lines in order."""
        table = self._tables[product]
        known = dict(facts)
        for i, (name, tree) in enumerate(table.lines):
            if i == table.offer_from and known["declined"]:
                return {"outcome": "DECLINED"}
            known[name] = json_logic.jsonLogic(tree, known)
        return known


# --- business-rules --------------------------------------------------------------------------------------------


class _Fact(BaseType):
    """A fact or an unknown one. business-rules' own types know no unknown and turn every number into a Decimal, which
    is slower; a type of one's own is the extension that the library provides for.
    """

    name = "fact"

    def _assert_valid_value_and_cast(self, value: Any) -> Any:
        return value

    @type_operator(FIELD_NO_INPUT)
    def known(self) -> bool:
        return self.value is not None

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def at_least(self, other: Any) -> bool:
        return self.value >= other

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def below(self, other: Any) -> bool:
        return self.value < other

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def at_most(self, other: Any) -> bool:
        return self.value <= other

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def equal_to(self, other: Any) -> bool:
        return self.value == other

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def one_of(self, others: Any) -> bool:
        return self.value in others

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def none_of(self, others: Any) -> bool:
        return self.value not in others

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def starts_with(self, prefix: str) -> bool:
        return self.value.startswith(prefix)

    @type_operator(FIELD_TEXT, assert_type_for_arguments=False)
    def any_of(self, others: Any) -> bool:
        return any(one in others for one in self.value)


_NATIVE = {">=": "at_least", "<=": "at_most", "===": "equal_to", "in": "one_of", "starts_with": "starts_with"}


class BusinessRules:
    """business-rules: gates and tables as its rules, a row each; sums, for which it has no words, as actions."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._made = {t.product: _rules_of(t) for t in tables}

    def answer(self, product: str, facts: Flat) -> Answer:
        """This function will run the product's rules in order."""
        checks, offer, variables, actions = self._made[product]
        known = dict(facts)
        asked, done = variables(known), actions(known)
        business_rules.run_all(checks, asked, done)
        if known["declined"]:
            return {"outcome": "DECLINED"}
        business_rules.run_all(offer, asked, done)
        return known


def _rules_of(table: Table) -> tuple[list[Any], list[Any], type, type]:
    """The rules before and after the decline, and the classes that give them facts and carry out their actions."""
    sums: dict[str, Callable[[Flat], Any]] = {}
    checks, offer = (
        [rule for name, tree in lines for rule in _line_rules(name, tree, sums)]
        for lines in (table.lines[: table.offer_from], table.lines[table.offer_from :])
    )

    class Variables(BaseVariables):
        def __init__(self, known: Flat) -> None:
            self.known = known

    class Actions(BaseActions):
        def __init__(self, known: Flat) -> None:
            self.known = known

        @rule_action(params={"name": FIELD_TEXT, "value": FIELD_TEXT})
        def note(self, name: str, value: Any) -> None:
            self.known[name] = value

        @rule_action(params={"name": FIELD_TEXT})
        def work_out(self, name: str) -> None:
            self.known[name] = sums[name](self.known)

    for name in table.facts:
        setattr(Variables, name, rule_variable(_Fact)(lambda self, name=name: self.known[name]))
    Variables.always = rule_variable(_Fact)(lambda self: True)
    return checks, offer, Variables, Actions


def _line_rules(name: str, tree: Tree, sums: dict[str, Callable[[Flat], Any]]) -> list[Any]:
    """A gate: unknown, then failed, then passed where its test holds. A table: a rule a row. Else: work it out."""
    match tree:
        case {"if": [{"===": [{"var": fact}, None]}, None, test]} if (condition := _condition(test)) is not None:
            rows = [(condition, True)]
        case {"if": [{"===": [{"var": fact}, None]}, None, *pairs, None]} if len(pairs) > 1:
            rows = [(_between(fact, test, above), value) for test, above, value in _rows(pairs)]
        case _:
            sums[name] = eval(f"lambda known: {python_source(tree)}", {"floor": lambda number: int(number // 1)})
            return [_rule(_ALWAYS, {"name": "work_out", "params": {"name": name}})]
    known = {"name": fact, "operator": "known", "value": None}
    rules = [_rule(_ALWAYS, _note(name, None))]
    if rows[0][1] is True:
        rules.append(_rule({"all": [known]}, _note(name, False)))
    return rules + [_rule({"all": [known, condition]}, _note(name, value)) for condition, value in rows]


_ALWAYS = {"all": [{"name": "always", "operator": "known", "value": None}]}


def _rows(pairs: list[Any]) -> Iterable[tuple[Tree, Tree | None, Any]]:
    """Each row's test, the test of the row above it, and its value."""
    return zip(pairs[::2], [None, *pairs[::2]], pairs[1::2], strict=False)


def _between(fact: str, test: Tree, above: Tree | None) -> dict[str, Any]:
    if above is None or ">=" not in above:
        return _condition(test)
    return {"all": [_condition(test), {"name": fact, "operator": "below", "value": above[">="][1]}]}


def _rule(conditions: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": conditions, "actions": [action]}


def _note(name: str, value: Any) -> dict[str, Any]:
    return {"name": "note", "params": {"name": name, "value": value}}


def _condition(tree: Tree) -> dict[str, Any] | None:
    """A test in business-rules' own words, or None where it has none."""
    match tree:
        case {"!": [{"in": [{"var": fact}, list() as codes]}]}:
            return {"name": fact, "operator": "none_of", "value": codes}
        case {"some": [{"var": fact}, {"in": [_, codes]}]}:
            return {"name": fact, "operator": "any_of", "value": codes}
        case {"or": [*tests]}:
            inner = [_condition(test) for test in tests]
            return None if None in inner else {"any": inner}
    if isinstance(tree, dict):
        ((operator, operands),) = tree.items()
        if (
            operator in _NATIVE
            and isinstance(operands[0], dict)
            and "var" in operands[0]
            and not isinstance(operands[1], dict)
        ):
            return {"name": operands[0]["var"], "operator": _NATIVE[operator], "value": operands[1]}
    return None


def python_source(tree: Tree) -> str:
    """This function will write a tree as a Python expression over the dict `known`."""
    if not isinstance(tree, dict):
        return repr(tree)
    ((operator, operands),) = tree.items()
    if operator == "var":
        return f"known[{operands!r}]"
    inner = [python_source(operand) for operand in operands]
    match operator:
        case "if":
            *pairs, last = inner
            chain = [f"{value} if {test} else " for test, value in zip(pairs[::2], pairs[1::2], strict=True)]
            return f"({''.join(chain)}{last})"
        case "===" | "!==" if operands[1] is None or isinstance(operands[1], bool):
            return f"({inner[0]} is {'not ' if operator == '!==' else ''}{inner[1]})"
        case "!":
            return f"(not {inner[0]})"
        case "in":
            return f"({inner[0]} in {inner[1]})"
        case "starts_with":
            return f"{inner[0]}.startswith({inner[1]})"
        case "floor":
            return f"floor({inner[0]})"
        case "min" | "max":
            return f"{operator}({', '.join(inner)})"
        case _:
            return f"({f' {_INFIX[operator]} '.join(inner)})"
