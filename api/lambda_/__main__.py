"""`python -m api.lambda_` serves the invocations of AWS Lambda."""

import sys

from api.lambda_.runtime import main

sys.exit(main())
