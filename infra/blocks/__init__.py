"""Constructs that the stacks share: a stack of a stage, keys, log groups, buckets, tables, queues, roles, functions.

Some parameters of CDK's generated classes have other names than in the interfaces that they implement, which type
checkers reject; a `cast` where an object is created names its interface.
"""
