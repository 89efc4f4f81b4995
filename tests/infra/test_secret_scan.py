import base64
import json
import secrets
import string
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LETTERS = string.ascii_uppercase + "234567"


def encode(*parts: object) -> list[str]:
    return [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]


PLANTED = {
    "an AWS access key": lambda: "AKIA" + "".join(secrets.choice(LETTERS) for _ in range(16)),
    "an AWS access key without a digit": lambda: (
        "AKIA" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(16))
    ),
    "an AWS secret key": lambda: f'aws_secret_access_key = "{base64.b64encode(secrets.token_bytes(30)).decode()}"',
    "an API key of ours": lambda: f"stratigos_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}",
    "a key of Bedrock": lambda: "ABSK" + base64.b64encode(secrets.token_bytes(60)).decode(),
    "a private key": lambda: "-----BEGIN " + "PRIVATE KEY-----",
    "a private key under a password": lambda: "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----",
    "a token": lambda: ".".join(encode({"alg": "RS256"}, {"sub": secrets.token_hex(8)}, secrets.token_hex(8))),
    "a password in an address": lambda: f"https://user:{secrets.token_hex(5)}@example.com/",
}


def scan(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ".ci/secret_scan.py", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_every_kind_of_key_is_found_and_named_by_its_line_but_not_repeated(tmp_path: Path) -> None:
    planted = {name: make() for name, make in PLANTED.items()}
    leaky, plain = tmp_path / "leaky.py", tmp_path / "plain.py"
    leaky.write_text("".join(f"# {name}\n{value}\n" for name, value in planted.items()))
    plain.write_text("TOKEN = os.environ['TOKEN']\npassword = ask('password')\n")

    ran = scan(leaky, plain)

    assert ran.returncode == 1
    assert not ran.stderr
    for number, (name, value) in enumerate(planted.items(), 1):
        assert f"{leaky}:{2 * number}: this looks like a secret" in ran.stdout, name
        assert value not in ran.stdout
    assert "plain.py" not in ran.stdout


def test_an_allowed_value_passes(tmp_path: Path) -> None:
    file = tmp_path / "fake.py"
    file.write_text("AKIAIOSFODNN7EXAMPLE")
    assert scan(file).returncode == 0
