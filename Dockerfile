# One image for every deployment; its command selects what it runs:
#   docker run -p 8000:8000 -e STRATIGOS_AUTH=keys -v stratigos:/tmp/stratigos IMAGE          the HTTP service
#   docker run -e STRATIGOS_SERVES=endpoint IMAGE                                              a real-time endpoint
#   docker run IMAGE work | cleanup | optimize ...                                            any other command
# On Lambda the function's entry point is ["python", "-m", "api.lambda_"]; on SageMaker the container's arguments
# are the command, and its hosting runs `serve` and calls port 8080, or the one in SAGEMAKER_BIND_TO_PORT.
# It needs no writable file system but /tmp: docker run --read-only --tmpfs /tmp:exec
# Both platforms: docker buildx build --platform linux/amd64,linux/arm64

ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# the kernels need a processor of the last ten years; --build-arg CPU=generic runs on all and is about a third slower
FROM ${BASE} AS on-amd64
ENV NUMBA_CPU_NAME=x86-64-v3

FROM ${BASE} AS on-arm64
ENV NUMBA_CPU_NAME=neoverse-n1

FROM on-${TARGETARCH} AS libraries
COPY bootstrap.py pyproject.toml uv.lock /src/
COPY infra/image.sh infra/sbom.py /src/infra/
RUN /src/infra/image.sh /opt/stratigos libraries

FROM libraries AS kernels
ARG CPU
ENV NUMBA_CPU_NAME=${CPU:-$NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=
COPY . /src
RUN /src/infra/image.sh /opt/stratigos program

FROM kernels AS program
RUN rm -rf /opt/stratigos/.venv /opt/stratigos/.cache

FROM on-${TARGETARCH}
ARG CPU
# a layer each, by how often they change
COPY --from=libraries /opt/stratigos /opt/stratigos
COPY --from=kernels /opt/stratigos/.cache /opt/stratigos/.cache
COPY --from=program /opt/stratigos /opt/stratigos
ENV PATH=/opt/stratigos/.venv/bin:$PATH \
    PYTHONPATH=/opt/stratigos \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CPU_NAME=${CPU:-$NUMBA_CPU_NAME} \
    NUMBA_CPU_FEATURES= \
    STRATIGOS_HOME=/tmp/stratigos \
    STRATIGOS_HOST=0.0.0.0 \
    STRATIGOS_LOG=stdout
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Stratigos" \
      org.opencontainers.image.description="A strategy desk for portfolio managers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
WORKDIR /opt/stratigos
# a mounted volume inherits the permissions of the folder, so that the user may write to it on Fargate
VOLUME ["/tmp"]
USER 10001:10001
EXPOSE 8000
# checks the service only: the other commands do not listen
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ! tr '\0' ' ' < /proc/1/cmdline | grep -q ' serve ' || \
    python -c 'import os, urllib.request as r; e = os.environ; usual, path = ("8080", "/ping") if e.get("STRATIGOS_SERVES") == "endpoint" else ("8000", "/api/health"); r.urlopen("http://127.0.0.1:%s%s" % (e.get("STRATIGOS_PORT", usual), path), timeout=4)'
ENTRYPOINT ["python", "-m", "api"]
CMD ["serve"]
