"""DynamoDB in memory: the operations and expressions that the store uses, with a count of requests."""

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
CLAUSE = re.compile(r"(attribute_not_exists)\((#\w+)\)|(#\w+) (=|>) (:\w+)")
KEY_CONDITION = re.compile(r"#pk = :pk AND (#\w+) BETWEEN :low AND :high")


class MemoryDynamoDB:
    """A client like boto3's."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str, str], Item] = {}
        """By table, partition key and sort key."""
        self.requests: Counter[str] = Counter()
        self.conflicts = 0
        self._sorted: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def get_item(self, **request: Any) -> Item:
        self.requests["GetItem"] += 1
        item = self.items.get(_place(request["TableName"], request["Key"]))
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> Item:
        self.requests["BatchGetItem"] += 1
        found: Item = {}
        for table, wanted in request["RequestItems"].items():
            places = [_place(table, key) for key in wanted["Keys"]]
            found[table] = [self.items[place] for place in places if place in self.items]
        return {"Responses": found}

    def put_item(self, **put: Any) -> Item:
        self.requests["PutItem"] += 1
        if not self._holds(put):
            self._refuse("ConditionalCheckFailedException", {})
        self._put(put)
        return {}

    def delete_item(self, **delete: Any) -> Item:
        self.requests["DeleteItem"] += 1
        if not self._holds(delete):
            self._refuse("ConditionalCheckFailedException", {})
        self._delete(delete)
        return {}

    def transact_write_items(self, **request: Any) -> Item:
        self.requests["TransactWriteItems"] += 1
        actions = [(kind, action) for each in request["TransactItems"] for kind, action in each.items()]
        assert len(actions) <= 100
        held = [self._holds(action) for _, action in actions]
        if not all(held):
            codes = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in held]
            self._refuse("TransactionCanceledException", {"CancellationReasons": codes})
        for kind, action in actions:
            self._put(action) if kind == "Put" else self._delete(action)
        return {}

    def query(self, **request: Any) -> Item:
        """A page in the order of the sort key, or against it."""
        self.requests["Query"] += 1
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        match = KEY_CONDITION.fullmatch(request["KeyConditionExpression"])
        assert match is not None
        assert names[match[1]] == "sk"
        partition, low, high = values[":pk"]["S"], values[":low"]["S"], values[":high"]["S"]
        table, keys = request["TableName"], self._sorted[request["TableName"], partition]
        start = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S")
        if request.get("ScanIndexForward", True):
            first = bisect_left(keys, low) if start is None else bisect_right(keys, start)
            page = [key for key in keys[first : first + request["Limit"]] if key <= high]
        else:
            end = bisect_right(keys, high) if start is None else bisect_left(keys, start)
            page = [key for key in keys[max(0, end - request["Limit"]) : end][::-1] if key >= low]
        items = [self.items[table, partition, key] for key in page]
        answer: Item = {"Items": [item for item in items if self._satisfies(request, "FilterExpression", item)]}
        if len(page) == request["Limit"]:
            answer["LastEvaluatedKey"] = {"pk": {"S": partition}, "sk": {"S": page[-1]}}
        return answer

    def _put(self, put: Item) -> None:
        table, partition, sort = place = _place(put["TableName"], put["Item"])
        if place not in self.items:
            insort(self._sorted[table, partition], sort)
        self.items[place] = put["Item"]

    def _delete(self, delete: Item) -> None:
        table, partition, sort = place = _place(delete["TableName"], delete["Key"])
        if self.items.pop(place, None) is not None:
            keys = self._sorted[table, partition]
            del keys[bisect_left(keys, sort)]

    def _holds(self, action: Item) -> bool:
        place = _place(action["TableName"], action.get("Item") or action["Key"])
        return self._satisfies(action, "ConditionExpression", self.items.get(place, {}))

    def _satisfies(self, request: Item, expression: str, item: Item) -> bool:
        """Whether the item satisfies a conjunction of clauses and of alternatives in brackets."""
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})

        def clause(text: str) -> bool:
            match = CLAUSE.fullmatch(text)
            assert match is not None, text
            function, argument, name, operator, value = match.groups()
            stored = item.get(names[argument or name])
            if function is not None:
                return stored is None
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


def _place(table: str, item: Item) -> tuple[str, str, str]:
    return table, item["pk"]["S"], item["sk"]["S"]
