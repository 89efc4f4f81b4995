"""The container contract of SageMaker Processing, and how the instances of a job share shards."""
