"""The platform on AWS as CDK stacks, the checks of their templates, and the build of the container image."""
