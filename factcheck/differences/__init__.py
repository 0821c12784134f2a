"""Values in claims and evidence (numbers, quantities, dates, names, roles) and how they stand to each other.

Rules, not a model: each difference can be shown to a reader with the two places that it rests on, and a text model is told of
them token by token. English; texts in other languages give numbers and dates in digits, and otherwise nothing.
"""

from factcheck.differences.compare import compare, find_values
from factcheck.differences.explain import explain
from factcheck.differences.records import Difference, Kind, Relation, Value
from factcheck.differences.relations import RELATION_COUNT, START_OF, TokenRelation, code_tokens, token_relations

__all__ = [
    "RELATION_COUNT",
    "START_OF",
    "Difference",
    "Kind",
    "Relation",
    "TokenRelation",
    "Value",
    "code_tokens",
    "compare",
    "explain",
    "find_values",
    "token_relations",
]
