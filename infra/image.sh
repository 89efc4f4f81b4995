#!/usr/bin/env bash
# Builds the content of the container image in an empty folder: infra/image.sh /opt/stratigos
# It consists of the program, its locked libraries as bytecode, and kernels compiled for NUMBA_CPU_NAME.
# PYTHON is the interpreter that will run it. The folder contains absolute paths, so it must not be moved.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:?the folder to fill}
mkdir -p "$target"
if [ -n "$(ls -A "$target")" ]; then
    echo "$target is not empty" >&2
    exit 2
fi
target=$(cd "$target" && pwd)
parts=(agents api desk graphs prompts quant store tools)
tar -C "$source" --exclude=__pycache__ -cf - "${parts[@]}" docs/glossary.md web/dist bootstrap.py pyproject.toml uv.lock LICENSE |
    tar -C "$target" -xf -
if [ -d "$source/.tools" ]; then # reuses the uv that is installed there
    cp -r "$source/.tools" "$target"
fi
cd "$target"

# copies instead of links, which would be shared with the cache and other environments
export UV_LINK_MODE=copy PYC_INVALIDATION_MODE=UNCHECKED_HASH
"${PYTHON:-python3}" bootstrap.py --no-default-groups
rm -rf .tools bootstrap.py

# remove unused files: the libraries' own tests, sources and headers, Arrow's Flight server and its client of S3
# (obstore reads buckets), and the variant of zstandard for interpreters other than CPython
libraries=(.venv/lib/python3.*/site-packages)
find "${libraries[0]}" -depth -type d -name tests -exec rm -rf {} +
find "${libraries[0]}" -type f \
    \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.pyi' \) -delete
rm -f "${libraries[0]}"/pyarrow/*{flight,s3}*.so* "${libraries[0]}"/zstandard/_cffi.*

.venv/bin/python -m compileall -q --invalidation-mode unchecked-hash "${parts[@]}"
NUMBA_CPU_NAME=${NUMBA_CPU_NAME-x86-64-v3} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES-} \
    .venv/bin/python "$source/infra/warm.py"
rm -rf .stratigos
chmod -R a+rX .
