"""An audit hook cannot be taken away, so the tests block the sockets of processes of their own."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import asyncio, multiprocessing, os, socket, subprocess, sys, threading
from api.recording.isolation import SocketBlocked, sockets_blocked

server = socket.create_server(("127.0.0.1", 0))
address = server.getsockname()

def refused(attempt):
    try:
        attempt()
    except SocketBlocked:
        return True
    return False

def connect():
    with socket.socket() as connection:
        connection.connect(address)

def send(how="sendto"):
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"x", address) if how == "sendto" else datagrams.sendmsg([b"x"], [], 0, address)

def listen():
    socket.create_server(("127.0.0.1", 0)).close()

def over_a_path(how):
    with socket.socket(socket.AF_UNIX) as connection:
        getattr(connection, how)(f"/tmp/none-{os.getpid()}.socket")

def with_boto3():
    import boto3
    from botocore.config import Config
    config = Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    url = f"http://127.0.0.1:{address[1]}"
    bedrock = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=url, config=config, **keys)
    try:
        bedrock.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
    except Exception as error:  # botocore hides what it does not know in an error of its own
        while error and not isinstance(error, SocketBlocked):
            error = error.__cause__ or error.__context__ or error.kwargs.get("error")
        raise error

def with_asyncio():
    asyncio.run(asyncio.open_connection(*address))

def in_thread():
    errors = []
    thread = threading.Thread(target=lambda: errors.append(refused(connect)))
    thread.start()
    thread.join()
    if errors == [True]:
        raise SocketBlocked

def in_fork():
    child = os.fork()
    if not child:
        os._exit(42 if refused(connect) else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42:
        raise SocketBlocked

def program():
    subprocess.run([sys.executable, "-c", ""])

def spawned():
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()

def spawned_in_fork():
    if os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", ""]) == 127:  # the refused child's word
        raise SocketBlocked

def replaced():
    child = os.fork()
    if not child:
        os._exit(42 if refused(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])) else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42:
        raise SocketBlocked
"""

ATTEMPTS = [
    "connect",
    "lambda: socket.create_connection(address)",
    "lambda: send()",
    "lambda: send('sendmsg')",
    "listen",
    "lambda: socket.getaddrinfo('localhost', 80)",
    "lambda: socket.gethostbyname('localhost')",
    "lambda: socket.gethostbyaddr('127.0.0.1')",
    "lambda: over_a_path('connect')",
    "lambda: over_a_path('bind')",
    "with_boto3",
    "with_asyncio",
    "in_thread",
    "in_fork",
    "program",
    "spawned",
    "replaced",
    "lambda: os.system('true')",
    "lambda: os.popen('true').close()",
    "lambda: os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})",
    "spawned_in_fork",
]


def run(code: str) -> str:
    script = textwrap.dedent(PRELUDE) + "if __name__ == '__main__':\n" + textwrap.indent(textwrap.dedent(code), "    ")
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What became of each attempt, all made by one process."""
    answer = run(f"""
        for attempt in ({", ".join(ATTEMPTS)}):
            with sockets_blocked() as block:
                print(refused(attempt), block.attempts, flush=True)
    """)
    return dict(zip(ATTEMPTS, answer.splitlines(), strict=True))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_each_way_out_is_refused_and_counted(outcomes: dict[str, str], attempt: str) -> None:
    assert outcomes[attempt] == "True 1"


def test_afterwards_everything_works_again() -> None:
    answer = run("""
        for attempt in (connect, send, listen, in_thread, in_fork, program, spawned):
            with sockets_blocked() as block:
                refused(attempt)
            assert not refused(attempt), attempt
            assert block.attempts == 1
        print("works")
    """)
    assert answer.endswith("works\n")


def test_blocks_may_be_nested_and_held_by_several_threads() -> None:
    answer = run("""
        with sockets_blocked() as outer:
            with sockets_blocked() as inner:
                refused(connect)
            print(refused(connect), outer.attempts, inner.attempts)

        both = threading.Barrier(2)
        def hold(counts):
            with sockets_blocked() as block:
                both.wait()
                refused(connect)
                both.wait()
                counts.append(block.attempts)
        counts = []
        threads = [threading.Thread(target=hold, args=(counts,)) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(counts, refused(connect))
    """)
    assert answer == "True 2 1\n[2, 2] False\n"


def test_no_attempt_of_many_children_and_threads_is_lost() -> None:
    answer = run("""
        def many():
            for _ in range(50):
                refused(connect)
        with sockets_blocked() as block:
            children = []
            for _ in range(4):
                if not (child := os.fork()):
                    threads = [threading.Thread(target=many) for _ in range(4)]
                    [thread.start() for thread in threads]
                    [thread.join() for thread in threads]
                    os._exit(0)
                children.append(child)
            [os.waitpid(child, 0) for child in children]
            print(block.attempts)
    """)
    assert answer == "800\n"


def test_an_event_loop_and_a_played_cassette_open_nothing() -> None:
    answer = run("""
        with sockets_blocked() as block:
            import boto3
            from agents.recording.cassette import Cassette, Interaction
            from agents.recording.player import Player
            body = b'{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}'
            reply = b'{"output": {"message": {"role": "assistant", "content": [{"text": "yes"}]}}}'
            uri, headers = "https://x/model/m/converse", {"Content-Type": "application/json"}.items()
            player = Player(Cassette([Interaction.scrubbed("POST", uri, body, 200, headers, reply)]))
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
            bedrock = boto3.client("bedrock-runtime", region_name="us-east-1", **keys)
            player.attach(bedrock)
            def call():
                return bedrock.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
            async def ask():
                return await asyncio.to_thread(call)
            print(asyncio.run(ask())["output"]["message"]["content"], block.attempts)
    """)
    assert answer == "[{'text': 'yes'}] 0\n"
