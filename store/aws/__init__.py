"""Adapters of the store's ports on DynamoDB and SQS."""
