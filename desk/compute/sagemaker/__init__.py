"""SageMaker adapters: processing jobs and pipelines."""
