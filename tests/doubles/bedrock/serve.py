"""`python -m tests.doubles.bedrock.serve`: runs the double for manual use with boto3."""

import argparse
import logging
import signal
import sys
import threading

from langchain.chat_models import init_chat_model

from tests.doubles.bedrock.clients import MODEL, REGION
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import Driver, by_model, embedded, faulty
from tests.doubles.bedrock.replies import THROTTLED

WELCOME = """\
Amazon Bedrock's Converse and ConverseStream, on this machine only. In another shell:

export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}
export AWS_ACCESS_KEY_ID=double AWS_SECRET_ACCESS_KEY=double AWS_REGION={region} AWS_DEFAULT_REGION={region}
export AWS_EC2_METADATA_DISABLED=true
export MODEL=bedrock_converse:{model}

One line per call follows; Ctrl-C ends it."""


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.bedrock.serve", description=__doc__)
    parser.add_argument("--port", type=port, default=8770, help="0 for any that is free (default: %(default)s)")
    parser.add_argument(
        "--driver",
        default="embedded",
        metavar="NAME",
        help="who answers: `embedded` for the embedded planner, or a name for LangChain's init_chat_model",
    )
    parser.add_argument("--throttle", type=count, default=0, metavar="N", help="the first N calls are throttled")
    return parser.parse_args(arguments)


def port(text: str) -> int:
    return whole(text, 65535)


def count(text: str) -> int:
    return whole(text, 1000)


def whole(text: str, most: int) -> int:
    if not text.isdecimal() or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; expected a whole number, 0 to {most}")
    return int(text)


def driver_of(options: argparse.Namespace) -> Driver:
    try:
        driver = embedded() if options.driver == "embedded" else by_model(init_chat_model(options.driver))
    except (ImportError, ValueError) as error:
        message = str(error).partition("\n")[0]
        sys.exit(
            f"--driver: {options.driver!r}: {message}; expected embedded, or a name for LangChain's init_chat_model"
        )
    return faulty(driver, dict.fromkeys(range(1, options.throttle + 1), THROTTLED))


def main() -> None:
    options = parsed()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("stratigos.bedrock_double").setLevel(logging.INFO)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have set SIGINT to be ignored
        signal.signal(number, signal.default_int_handler)
    try:
        double = Double(driver_of(options), port=options.port)
    except OSError as error:
        sys.exit(f"--port: {options.port} cannot be served: {error.strerror}; expected a free one, or 0 for any")
    double.start()
    print(WELCOME.format(url=double.url, region=REGION, model=MODEL), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        double.stop()
        print(f"Ended after {len(double.received)} calls.")


if __name__ == "__main__":
    main()
