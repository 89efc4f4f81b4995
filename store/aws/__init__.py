"""Adapters of the store's ports on DynamoDB, S3 and SQS."""
