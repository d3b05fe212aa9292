# Airflow with the stages on CPUs: every service but the servers of others.
FROM python:3.11-slim-bookworm AS environment

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

COPY requirements/torch.txt requirements/docker.txt /tmp/
# By itself pip takes torch's CUDA build, several GB that no CPU needs: TORCH_OPTIONS="--index-url …" names the CPU wheels.
ARG TORCH_OPTIONS=
# hadolint ignore=SC2086
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --only-binary :all: ${TORCH_OPTIONS} --requirement /tmp/torch.txt \
    && pip install --require-hashes --only-binary :all: --requirement /tmp/docker.txt

# The wheel stays in the image, so that the GPU image installs the very same code into its other environment.
COPY pyproject.toml README.md /source/
COPY causal_tasks /source/causal_tasks
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /opt/wheels /source \
    && pip install --no-cache-dir --no-deps /opt/wheels/*.whl \
    && pip check


FROM python:3.11-slim-bookworm

# libgomp1: LightGBM's threads. fonts-wqy-zenhei: Chinese glyphs for the picture in the chat.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-wqy-zenhei libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --gid 0 --create-home airflow \
    && install --directory --owner airflow --group root /opt/airflow

COPY --from=environment /opt/wheels /opt/wheels
COPY --from=environment /opt/venv /opt/venv
COPY docker/entrypoint.sh docker/init.sh docker/create_bucket.py docker/healthcheck.py docker/pools.json /opt/airflow/docker/
COPY plugins /opt/airflow/plugins
COPY dags /opt/airflow/dags

# OpenMP's threads wait passively: spinning ones slow down fits that share cores up to 80 times.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/airflow/plugins \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    OMP_WAIT_POLICY=PASSIVE

USER 50000:0
WORKDIR /opt/airflow
RUN python -c "import causal_tasks.cli, lightgbm, torch, xgboost"
ENTRYPOINT ["/opt/airflow/docker/entrypoint.sh"]
