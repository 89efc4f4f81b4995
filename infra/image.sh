#!/usr/bin/env bash
# Builds the content of the container image: infra/image.sh /opt/stratigos [libraries|program]
# `libraries` fills an empty folder with the locked libraries as bytecode, and with their list (sbom.cdx.json);
# `program` adds the program, and its kernels compiled for NUMBA_CPU_NAME. Without a step it performs both.
# PYTHON is the interpreter that will run it. The folder contains absolute paths, so it must not be moved.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:?the folder to fill}
step=${2-}
parts=(agents api desk graphs prompts quant store tools)
project=(pyproject.toml uv.lock)
# those that the program calls, and those that give credentials
services='apigatewaymanagementapi|bedrock|bedrock-runtime|dynamodb|s3|sagemaker|secretsmanager|signin|sqs|ssm|sso|sso-oidc|sts'
same='2020-01-01T00:00:00Z' # files of a layer that has not changed have the same time, so that its digest is the same
export PYC_INVALIDATION_MODE=UNCHECKED_HASH

install_libraries() {
    mkdir -p "$target"
    if [ -n "$(ls -A "$target")" ]; then
        echo "$target is not empty" >&2
        exit 2
    fi
    target=$(cd "$target" && pwd)
    for file in bootstrap.py "${project[@]}"; do cp "$source/$file" "$target"; done
    if [ -d "$source/.tools" ]; then # reuses the uv that is installed there
        cp -r "$source/.tools" "$target"
    fi
    cd "$target"
    # copies instead of links, which would be shared with the cache and other environments
    UV_LINK_MODE=copy "${PYTHON:-python3}" bootstrap.py --no-default-groups
    .tools/uv-*/bin/uv export --quiet --frozen --no-default-groups --format cyclonedx1.5 |
        .venv/bin/python "$source/infra/sbom.py" >sbom.cdx.json
    rm -rf .tools bootstrap.py

    # remove unused files: the libraries' own tests, sources and headers, Arrow's Flight server and its client of S3
    # (obstore reads buckets), the variant of zstandard for interpreters other than CPython, and botocore's descriptions
    # of other services
    libraries=(.venv/lib/python3.*/site-packages)
    find "${libraries[0]}" -depth -type d -name tests -exec rm -rf {} +
    find "${libraries[0]}" -type f \
        \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.pyi' \) -delete
    rm -f "${libraries[0]}"/pyarrow/*{flight,s3}*.so* "${libraries[0]}"/zstandard/_cffi.*
    find "${libraries[0]}/botocore/data" -mindepth 1 -maxdepth 1 -type d |
        grep -vE "/($services)$" | xargs rm -rf
    chmod -R a+rX .
    find . -exec touch -hd "$same" {} +
}

install_program() {
    cd "$target"
    tar -C "$source" --exclude=__pycache__ -cf - "${parts[@]}" docs/glossary.md web/dist LICENSE | tar -xf -
    find quant -exec touch -hd "$same" {} + # kernels name the time of their sources
    .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash "${parts[@]}"
    NUMBA_CPU_NAME=${NUMBA_CPU_NAME-x86-64-v3} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES-} \
        .venv/bin/python "$source/infra/warm.py"
    rm -rf .stratigos
    chmod -R a+rX .
    find .cache -exec touch -hd "$same" {} +
}

case $step in
libraries) install_libraries ;;
program) install_program ;;
'') install_libraries && install_program ;;
*)
    echo "$step is not a step: libraries or program" >&2
    exit 2
    ;;
esac
