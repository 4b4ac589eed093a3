# The job, and everything else that its image can run: deploy/docker/entrypoint.sh says what.
#
#   docker build -t sqs-pipeline .

# Submitter and workers of a cluster must have the same minor version of Python, and this one is tested.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS wheels
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY transforms transforms
RUN pip wheel --no-cache-dir --wheel-dir=/wheels --constraint=constraints.txt .

FROM python:${PYTHON}
# tini is process 1: it hands signals on and reaps what processes leave behind. Debian replaces a version that it mends.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl
COPY --chmod=755 deploy/docker/entrypoint.sh /usr/local/bin/entrypoint

# A number, so that Kubernetes can see that it is not root. It owns nothing but the place of results.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin pipeline \
 && install --directory --owner=10001 --group=10001 /output
WORKDIR /app
VOLUME /output
USER 10001:10001

# Your modules go to /app. Workers of a cluster start elsewhere, hence the path.
ENV PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    SQS_PIPELINE_OUTPUT=/output

LABEL org.opencontainers.image.title="SQS Pipeline" \
      org.opencontainers.image.description="Process what lands in S3: an Apache Beam job from SQS notifications to stored results" \
      org.opencontainers.image.licenses="MIT"

HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["entrypoint", "health"]
ENTRYPOINT ["tini", "--", "/usr/local/bin/entrypoint"]
