# The Airflow image with a second environment beside it, for stages on a GPU: Python 3.12, CUDA 13, RAPIDS, no Airflow.
# Airflow calls its interpreter, /opt/gpu/bin/python. docker-compose.yml hands in the build context "airflow".

# PyPI's LightGBM knows no CUDA. Built on a system with an older C library than the image that runs it.
FROM nvidia/cuda:13.0.2-devel-ubuntu22.04 AS lightgbm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /build

# An option of CMake goes in as a variable: pip passes --config-settings only to packages named on its command line.
COPY requirements/gpu.txt /tmp/
ENV SKBUILD_CMAKE_DEFINE=USE_CUDA=ON
RUN sed -n '/^lightgbm==/,/[^\\]$/p' /tmp/gpu.txt > /tmp/lightgbm.txt \
    && /build/bin/pip wheel --no-cache-dir --require-hashes --no-deps --no-binary lightgbm \
        --wheel-dir /wheels --requirement /tmp/lightgbm.txt \
    && /build/bin/python -m zipfile --extract /wheels/lightgbm-*.whl /tmp/lightgbm \
    && ! grep --quiet "CUDA Tree Learner was not enabled" /tmp/lightgbm/lightgbm/lib/lib_lightgbm.so


FROM python:3.12-slim-bookworm AS environment

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# By its full name, because the links that this makes lead to it in an image where "python" is another version.
RUN python3.12 -m venv /opt/gpu
COPY requirements/gpu.txt /tmp/
COPY --from=lightgbm /wheels /tmp/wheels
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/gpu/bin/pip install --require-hashes --only-binary :all: --requirement /tmp/gpu.txt \
    && /opt/gpu/bin/pip install --no-deps --force-reinstall /tmp/wheels/lightgbm-*.whl


# hadolint ignore=DL3006
FROM airflow

# Both images keep their Python in /usr/local, where versions live side by side.
COPY --from=environment /usr/local/bin/python3.12 /usr/local/bin/python3.12
COPY --from=environment /usr/local/lib/libpython3.12.so.1.0 /usr/local/lib/libpython3.12.so.1.0
COPY --from=environment /usr/local/lib/python3.12 /usr/local/lib/python3.12
COPY --from=environment /opt/gpu /opt/gpu

USER 0
RUN ldconfig \
    && /opt/gpu/bin/pip install --no-cache-dir --no-deps /opt/wheels/*.whl \
    && /opt/gpu/bin/pip check

ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 50000:0
RUN /opt/gpu/bin/python -c "import causal_tasks.cli, cudf, dask_cuda, lightgbm, torch, xgboost"
