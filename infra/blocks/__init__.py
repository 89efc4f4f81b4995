"""Constructs that the stacks share: a stack of a stage, keys, log groups, buckets, tables, queues, roles, functions."""
