"""DynamoDB in memory: the operations and expressions that the store uses, on one table, with a count of requests."""

import re
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
CLAUSE = re.compile(r"(attribute_not_exists|begins_with)\((#\w+)(?:, (:\w+))?\)|(#\w+) (=|>) (:\w+)")
KEY_CONDITION = re.compile(r"#pk = :pk AND (#\w+) BETWEEN :low AND :high")


class MemoryDynamoDB:
    """A client like boto3's."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.requests: Counter[str] = Counter()
        self.conflicts = 0
        self._sorted: defaultdict[str, list[str]] = defaultdict(list)

    def get_item(self, **request: Any) -> Item:
        self.requests["GetItem"] += 1
        item = self.items.get(_place(request["Key"]))
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> Item:
        self.requests["BatchGetItem"] += 1
        [(table, wanted)] = request["RequestItems"].items()
        return {"Responses": {table: [self.items[p] for p in map(_place, wanted["Keys"]) if p in self.items]}}

    def put_item(self, **put: Any) -> Item:
        self.requests["PutItem"] += 1
        if not self._holds(put):
            self._refuse("ConditionalCheckFailedException", {})
        self._put(put["Item"])
        return {}

    def transact_write_items(self, **request: Any) -> Item:
        self.requests["TransactWriteItems"] += 1
        writes = [write for each in request["TransactItems"] for write in each.items()]
        held = [self._holds(write) for _, write in writes]
        if not all(held):
            codes = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in held]
            self._refuse("TransactionCanceledException", {"CancellationReasons": codes})
        for kind, write in writes:
            if kind == "Put":
                self._put(write["Item"])
            else:
                self._delete(write["Key"])
        return {}

    def delete_item(self, **delete: Any) -> Item:
        self.requests["DeleteItem"] += 1
        if not self._satisfies(delete, "ConditionExpression", self.items.get(_place(delete["Key"]), {})):
            self._refuse("ConditionalCheckFailedException", {})
        self._delete(delete["Key"])
        return {}

    def query(self, **request: Any) -> Item:
        """A page in the order of the sort key, of the table or of an index; or backwards."""
        self.requests["Query"] += 1
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        match = KEY_CONDITION.fullmatch(request["KeyConditionExpression"])
        assert match is not None
        partition, low, high = values[":pk"]["S"], values[":low"]["S"], values[":high"]["S"]
        entries = self._entries(partition, names[match[1]])
        found = entries[bisect_left(entries, (low, "")) : bisect_left(entries, (high, "\U0010ffff"))]
        if not request.get("ScanIndexForward", True):
            found.reverse()
        if "ExclusiveStartKey" in request:
            found = found[[key for _, key in found].index(request["ExclusiveStartKey"]["sk"]["S"]) + 1 :]
        page = [key for _, key in found[: request["Limit"]]]
        items = [self.items[partition, key] for key in page]
        answer: Item = {"Items": [item for item in items if self._satisfies(request, "FilterExpression", item)]}
        if len(page) < len(found):
            answer["LastEvaluatedKey"] = {"pk": {"S": partition}, "sk": {"S": page[-1]}}
        return answer

    def _entries(self, partition: str, attribute: str) -> list[tuple[str, str]]:
        """The values of the attribute in the partition, each with its sort key, in order."""
        keys = self._sorted[partition]
        if attribute == "sk":
            return [(key, key) for key in keys]
        items = ((key, self.items[partition, key]) for key in keys)
        return sorted((item[attribute]["S"], key) for key, item in items if attribute in item)

    def _delete(self, key: Item) -> None:
        partition, sort = _place(key)
        if self.items.pop((partition, sort), None) is not None:
            self._sorted[partition].remove(sort)

    def _put(self, item: Item) -> None:
        place = _place(item)
        if place not in self.items:
            insort(self._sorted[place[0]], place[1])
        self.items[place] = item

    def _holds(self, put: Item) -> bool:
        place = _place(put["Item"] if "Item" in put else put["Key"])
        return self._satisfies(put, "ConditionExpression", self.items.get(place, {}))

    def _satisfies(self, request: Item, expression: str, item: Item) -> bool:
        """Whether the item satisfies a conjunction of clauses and of alternatives in brackets."""
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})

        def clause(text: str) -> bool:
            match = CLAUSE.fullmatch(text)
            assert match is not None, text
            function, argument, prefix, name, operator, value = match.groups()
            stored = item.get(names[argument or name])
            if function == "attribute_not_exists":
                return stored is None
            if function == "begins_with":
                return stored is not None and stored["S"].startswith(values[prefix]["S"])
            if operator == "=":
                return stored == values[value]
            return stored is not None and float(stored["N"]) > float(values[value]["N"])

        parts = request.get(expression, "").split(" AND ") if expression in request else []
        return all(any(map(clause, _alternatives(part))) for part in parts)

    def _refuse(self, code: str, details: Item) -> None:
        self.conflicts += 1
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}} | details
        raise ClientError(answer, "Write")  # type: ignore[arg-type]


def _alternatives(text: str) -> list[str]:
    return text[1:-1].split(" OR ") if text.startswith("(") else [text]


def _place(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
