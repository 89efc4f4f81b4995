"""Make the bundled data sets out of the wheels that carry them; see PROVENANCE.md.

python desk/market/data/extract.py skfolio-1.12.0-py3-none-any.whl arch-8.0.0-*.whl

A wheel may also be given as the folder it was unpacked into.
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def member(wheel: Path, name: str) -> bytes:
    if wheel.is_dir():
        return (wheel / name).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def csv(wheel: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(gzip.decompress(member(wheel, name))))


def prices(wheel: Path, name: str, target: str) -> None:
    table = csv(wheel, f"skfolio/datasets/data/{name}.csv.gz").rename(columns={"Date": "date"})
    table["date"] = pd.to_datetime(table["date"], format="%Y-%m-%d").astype("datetime64[ms]")
    table.to_parquet(HERE / target, index=False, compression="zstd")


def cash_rate(wheel: Path) -> None:
    table = csv(wheel, "arch/data/frenchdata/frenchdata.csv.gz")
    lines = ["month,rate_percent"]
    for month, rate in zip(table["Date"].astype(str), table["RF"], strict=True):
        lines.append(f"{month[:4]}-{month[4:]},{rate:.2f}")
    (HERE / "cash_rate.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(skfolio: Path, arch: Path) -> None:
    prices(skfolio, "sp500_index", "sp500_index.parquet")
    prices(skfolio, "sp500_dataset", "sp500_stocks.parquet")
    cash_rate(arch)
    notices = {
        "skfolio-BSD-3-Clause.txt": member(skfolio, "skfolio-1.12.0.dist-info/licenses/LICENSE"),
        "arch-NCSA.md": member(arch, "arch-8.0.0.dist-info/licenses/LICENSE.md"),
    }
    for name, text in notices.items():
        (HERE / "licenses" / name).write_bytes(text)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
