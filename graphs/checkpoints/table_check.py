"""Checks at startup that a DynamoDB table and its bucket can hold checkpoints."""

from botocore.exceptions import BotoCoreError, ClientError

from desk.base.errors import InvalidInput
from graphs.checkpoints.table import DynamoTable

KEYS = {"PK": ("HASH", "S"), "SK": ("RANGE", "S")}


def check(place: DynamoTable) -> None:
    """Raise `InvalidInput` for a table or a bucket that cannot hold checkpoints."""
    resource = f"the table {place.name!r}"
    try:
        saver = place.saver
        table = saver.client.describe_table(TableName=place.name)["Table"]
        if saver.storage.s3_client is not None and place.bucket is not None:
            resource = f"the bucket {place.bucket!r}"
            saver.storage.s3_client.head_bucket(Bucket=place.bucket)
    except ClientError as error:
        raise _invalid(place, f"for {resource} AWS answers {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise _invalid(place, f"{resource} cannot be reached: {str(error).partition(chr(10))[0]}") from error
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    keys = {key["AttributeName"]: (key["KeyType"], types[key["AttributeName"]]) for key in table["KeySchema"]}
    if keys != KEYS:
        raise _invalid(place, f"the table {place.name!r} has other keys: {', '.join(keys)}")


def _invalid(place: DynamoTable, reason: str) -> InvalidInput:
    allowed = "a table of yours with the keys PK and SK, both strings, and a bucket of yours"
    return InvalidInput("STRATIGOS_CHECKPOINTS", place.name, reason=reason, allowed=allowed)
