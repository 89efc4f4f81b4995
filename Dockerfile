# One image for every deployment; its command selects what it runs:
#   docker run -p 8000:8000 -e STRATIGOS_AUTH=keys -v stratigos:/tmp/stratigos IMAGE          the HTTP service
#   docker run -e STRATIGOS_SERVES=endpoint IMAGE                                              a real-time endpoint
#   docker run IMAGE work | cleanup | optimize ...                                            any other command
# On Lambda the function's entry point is ["python", "-m", "api.lambda_"]; on SageMaker the container's arguments
# are the command, and its hosting runs `serve` and calls port 8080, or the one in SAGEMAKER_BIND_TO_PORT.
# It needs no writable file system but /tmp: docker run --read-only --tmpfs /tmp:exec
# For Arm: docker build --platform linux/arm64 --build-arg CPU=neoverse-n1

ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
ARG CPU=x86-64-v3
ENV NUMBA_CPU_NAME=${CPU} NUMBA_CPU_FEATURES=
COPY . /src
RUN /src/infra/image.sh /opt/stratigos

FROM ${BASE}
ARG CPU=x86-64-v3
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Stratigos" \
      org.opencontainers.image.description="A strategy desk for portfolio managers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
COPY --from=build /opt/stratigos /opt/stratigos
# the kernels need a processor of the last ten years; CPU=generic runs on all and is about a third slower
ENV PATH=/opt/stratigos/.venv/bin:$PATH \
    PYTHONPATH=/opt/stratigos \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CPU_NAME=${CPU} \
    NUMBA_CPU_FEATURES= \
    STRATIGOS_HOME=/tmp/stratigos \
    STRATIGOS_HOST=0.0.0.0 \
    STRATIGOS_LOG=stdout
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
