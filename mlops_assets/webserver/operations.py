"""What a GraphQL request asks for, read from the parsed document: its kind, and every mutation it calls."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_assets.errors import MlopsError

if TYPE_CHECKING:
    from graphql import DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode

MOST_CHARACTERS = 1_000_000
MOST_TOKENS = 20_000
Kind = Literal["query", "mutation", "subscription"]


class Unreadable(MlopsError):
    """A GraphQL request of which the guard cannot say what it would do."""


@dataclass(frozen=True)
class Call:
    """One field at the root of an operation, by its own name, whatever alias it is given."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One GraphQL request; ``body`` is all of it that is handed on."""

    query: str
    variables: Mapping[str, Any] | None
    operation_name: str | None
    kind: Kind
    calls: tuple[Call, ...]

    @property
    def parameters(self) -> dict[str, str]:
        """As the parameters of a URL."""
        named = {"operationName": self.operation_name} if self.operation_name is not None else {}
        return {"query": self.query, **named, "variables": json.dumps(self.variables or {})}

    @property
    def body(self) -> bytes:
        return json.dumps(
            {"query": self.query, "variables": self.variables, "operationName": self.operation_name}
        ).encode()


def read(sent: object) -> Request:
    """The request that a client has ``sent``, parsed from JSON or a query string.

    Raises:
        Unreadable: for a batch, a persisted query, a document that is no GraphQL, or one that leaves open which of its
            operations is meant.

    Example:
        >>> request = read({"query": "mutation { again: launchRun(executionParams: {}) { __typename } }"})
        >>> request.kind, [call.name for call in request.calls]
        ('mutation', ['launchRun'])
    """
    if isinstance(sent, list):
        raise Unreadable("a batch of GraphQL requests. Remedy: send them one by one")
    if not isinstance(sent, Mapping) or not isinstance(sent.get("query"), str):
        raise Unreadable("a GraphQL request holds its text under 'query'; persisted queries are not served")
    query, name = sent["query"], sent.get("operationName")
    if not (name is None or isinstance(name, str)):
        raise Unreadable(f"operationName is text, not {type(name).__name__}")
    variables = _variables(sent.get("variables"))
    try:
        document = _parsed(query)
        operation = _operation(document, name)
        calls = tuple(_call(field, operation, variables) for field in _root_fields(document, operation))
    except RecursionError as error:
        raise Unreadable("the GraphQL request is nested too deeply") from error
    return Request(query, variables, name, operation.operation.value, calls)


def _variables(sent: object) -> Mapping[str, Any] | None:
    if isinstance(sent, str):
        try:
            sent = json.loads(sent) if sent else None
        except ValueError as error:
            raise Unreadable(f"variables are not JSON: {error}") from error
    if not (sent is None or isinstance(sent, Mapping)):
        raise Unreadable(f"variables are an object, not {type(sent).__name__}")
    return sent


def _parsed(query: str) -> "DocumentNode":
    from graphql import GraphQLError, parse

    if len(query) > MOST_CHARACTERS:
        raise Unreadable(f"the GraphQL text has {len(query):,} characters; {MOST_CHARACTERS:,} are allowed")
    try:
        return parse(query, max_tokens=MOST_TOKENS)
    except GraphQLError as error:
        raise Unreadable(f"not GraphQL: {error.message}") from error


def _operation(document: "DocumentNode", name: str | None) -> "OperationDefinitionNode":
    from graphql import OperationDefinitionNode

    operations = [operation for operation in document.definitions if isinstance(operation, OperationDefinitionNode)]
    named = [operation for operation in operations if name is None or (operation.name and operation.name.value == name)]
    if len(named) != 1:
        raise Unreadable(f"{len(named)} operations of this document are called {name!r}; one must be")
    return named[0]


def _root_fields(document: "DocumentNode", operation: "OperationDefinitionNode") -> "Iterator[FieldNode]":
    """Fields at the root, those of fragments too, and those that a directive may leave out."""
    from graphql import FragmentDefinitionNode

    fragments = {
        fragment.name.value: fragment
        for fragment in document.definitions
        if isinstance(fragment, FragmentDefinitionNode)
    }
    seen: set[str] = set()

    def fields(selection: "SelectionSetNode") -> "Iterator[FieldNode]":
        from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                if node.name.value not in fragments:
                    raise Unreadable(f"the document has no fragment {node.name.value!r}")
                yield from fields(fragments[node.name.value].selection_set)

    yield from fields(operation.selection_set)


def _call(field: "FieldNode", operation: "OperationDefinitionNode", variables: Mapping[str, Any] | None) -> Call:
    from graphql import value_from_ast_untyped

    known = {
        **{
            variable.variable.name.value: value_from_ast_untyped(variable.default_value)
            for variable in operation.variable_definitions or ()
            if variable.default_value
        },
        **(variables or {}),
    }
    return Call(
        field.name.value,
        {argument.name.value: value_from_ast_untyped(argument.value, known) for argument in field.arguments},
    )
