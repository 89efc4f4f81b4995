from tests.doubles.sagemaker.fixtures import behind, bucket, fleet

__all__ = ["behind", "bucket", "fleet"]
