FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/srv/asleep \
    ASLEEP_DATA_DIR=/srv/asleep/data

WORKDIR /srv/asleep

COPY pyproject.toml constraints.txt README.md LICENSE dagster.yaml ./
COPY ingest ingest
COPY pipelines pipelines
COPY sql sql

RUN --mount=type=cache,target=/var/cache/pip \
    pip install --cache-dir /var/cache/pip --root-user-action=ignore -c constraints.txt -e . \
    && python -m compileall -q ingest pipelines

# Dagster writes below DAGSTER_HOME, we below data; a new volume mounted at data takes over its owner.
RUN useradd --uid 1000 --create-home asleep \
    && mkdir data \
    && chown asleep:asleep . data
USER asleep

CMD ["asleep", "--help"]
