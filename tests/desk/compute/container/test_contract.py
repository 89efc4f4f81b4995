"""Inputs and outputs of a container: incomplete or invalid files are refused by name."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.base.code_version import code_version
from desk.compute.container.job_files import (
    BadOutput,
    ContainerPaths,
    IncompatibleWork,
    Resources,
    Summary,
    Work,
    decode_summary,
    decode_trials,
    encode_summary,
    encode_trials,
    pack_prices,
    read_resources,
    read_work,
    unpack_prices,
    write_work,
)

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def work(world, job, prices) -> Work:
    return Work(code=code_version(), data=prices.digest, job=job(world.request), key=KEY)


@pytest.fixture(scope="module")
def few(prices):
    """Prices of a month."""
    return replace(prices, dates=prices.dates[:21], closes=prices.closes[:21])


@pytest.fixture
def folder(tmp_path, work, prices, finished_search) -> Path:
    write_work(tmp_path / "work", work, prices, finished_search.trials[:2])
    return tmp_path / "work"


def test_reading_returns_the_written_work(folder, work, prices, finished_search) -> None:
    loaded_work, loaded_prices, earlier_trials = read_work(folder)
    assert loaded_work == work
    assert earlier_trials == list(finished_search.trials[:2])
    assert loaded_prices.digest == prices.digest
    for name in ("assets", "price_index", "survivors", "source", "notes", "calendar", "currency", "accepted"):
        assert getattr(loaded_prices, name) == getattr(prices, name)
    np.testing.assert_array_equal(loaded_prices.dates, prices.dates)


@pytest.mark.parametrize("name", ["work.json", "known.json", "prices.npz"])
def test_a_missing_file_is_named(folder, name) -> None:
    (folder / name).unlink()
    with pytest.raises(IncompatibleWork, match=f"^{name} is missing"):
        read_work(folder)


@pytest.mark.parametrize("change", [{"code": "0" * 64}, {"format": 2}, {"format": None}])
def test_work_of_another_version_is_refused(folder, change) -> None:
    path = folder / "work.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IncompatibleWork, match="another version of the program; use the image"):
        read_work(folder)


@pytest.mark.parametrize("name", ["work.json", "known.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"3", b"\xff\xfe", b'[{"number": 1}]', b"nothing"])
def test_documents_that_cannot_be_read_are_refused(folder, name, content) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(IncompatibleWork):
        read_work(folder)


def test_other_prices_are_refused(folder, prices) -> None:
    other = replace(prices, closes=prices.closes * 1.01)
    (folder / "prices.npz").write_bytes(pack_prices(other))
    with pytest.raises(IncompatibleWork, match=rf"the digest {other.digest[:16]}; expected {prices.digest[:16]}"):
        read_work(folder)


@settings(max_examples=40)
@given(st.data())
def test_damaged_prices_are_refused(few, data) -> None:
    content = bytearray(pack_prices(few))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(IncompatibleWork):
        assert unpack_prices(bytes(content), few.digest).digest == few.digest


@pytest.mark.parametrize(
    ("hosts", "leader"),
    [(["algo-10", "algo-2", "algo-1"], "algo-1"), (["algo-10", "algo-2"], "algo-2"), (["b", "a"], "a"), (["x"], "x")],
)
def test_the_first_host_leads(hosts, leader) -> None:
    assert Resources(current_host=hosts[0], hosts=hosts).leader == leader


def test_unknown_fields_about_instances_are_ignored(tmp_path) -> None:
    path = tmp_path / "resourceconfig.json"
    document = {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "current_instance_type": "ml.c5.4xlarge",
        "instance_groups": [],
    }
    path.write_text(json.dumps(document))
    assert read_resources(path) == Resources(current_host="algo-1", hosts=("algo-1",))


@pytest.mark.parametrize("content", [None, "", "{}", '{"current_host": "a", "hosts": []}', "[1]"])
def test_missing_instances_are_an_error(tmp_path, content) -> None:
    path = tmp_path / "resourceconfig.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(IncompatibleWork, match=r"^resourceconfig\.json (is missing|cannot be read)"):
        read_resources(path)


def test_folders_match_the_contract_of_sagemaker() -> None:
    paths = ContainerPaths()
    assert paths.resources == Path("/opt/ml/config/resourceconfig.json")
    assert paths.work == Path("/opt/ml/processing/input/work")
    assert paths.earlier_shards == Path("/opt/ml/processing/input/shards")
    assert paths.shards == Path("/opt/ml/processing/output/shards")
    assert paths.result == Path("/opt/ml/processing/output/result")
    assert paths.message == Path("/opt/ml/output/message")


def test_decoding_returns_the_encoded_trials(work, finished_search) -> None:
    content = encode_trials(work, finished_search.saved[:3])
    decoded_trials = decode_trials("trials-00000.json", content, work)
    assert [trial for trial, _ in decoded_trials] == list(finished_search.trials[:3])
    for (_, series), (_, expected) in zip(decoded_trials, finished_search.saved, strict=False):
        np.testing.assert_array_equal(series, expected)


def test_decoding_returns_the_encoded_summary(work) -> None:
    summary = Summary(
        code=work.code, data=work.data, job=work.job.id(), stopped="budget", trials=3, files={"a": "0" * 64}
    )
    assert decode_summary(encode_summary(summary), work) == summary


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"code": "0" * 64}, "wrong code"),
        ({"data": "0" * 64}, "wrong data"),
        ({"job": {"run": "r2"}}, "another job"),
    ],
)
def test_trials_of_another_job_are_refused(work, finished_search, change, flaw) -> None:
    content = encode_trials(work, finished_search.saved[:1])
    job = work.job.model_copy(update=change.pop("job", {}))
    with pytest.raises(BadOutput) as error_info:
        decode_trials("trials-00000.json", content, work.model_copy(update=change | {"job": job}))
    assert (error_info.value.flaw, error_info.value.name) == (flaw, "trials-00000.json")


@settings(max_examples=30)
@given(st.data())
def test_damaged_trials_are_refused(work, finished_search, data) -> None:
    content = encode_trials(work, finished_search.saved[:1])
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = content[:place]
    else:
        damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    with pytest.raises(BadOutput) as error_info:
        decode_trials("trials-00000.json", damaged, work)
    assert error_info.value.flaw in ("truncated", "damaged")


@pytest.mark.parametrize("series", ["A", "AAAA", "AAAAAAAAAAA="])
def test_series_of_another_shape_are_refused_despite_a_valid_checksum(work, finished_search, series) -> None:
    body = json.loads(encode_trials(work, finished_search.saved[:1]).partition(b"\n")[2])
    body["trials"][0]["series"] = series
    packed = json.dumps(body, separators=(",", ":")).encode()
    with pytest.raises(BadOutput, match="damaged"):
        decode_trials("trials-00000.json", hashlib.sha256(packed).hexdigest().encode() + b"\n" + packed, work)
