"""Settings that send searches to SageMaker."""

SAGEMAKER = {
    "STRATIGOS_COMPUTE": "sagemaker",
    "SAGEMAKER_IMAGE": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/stratigos:1.2",
    "SAGEMAKER_ROLE": "arn:aws:iam::123456789012:role/service/desk",
    "SAGEMAKER_STORAGE": "s3://desk-jobs/prod/desk-1/",
}
