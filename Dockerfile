# syntax=docker/dockerfile:1
# orderflow, one image for every process: `serve`, `relay`, `consume NAME`, and each command of an operator.
#
#   docker build -t orderflow:0.1.0 .
#
# The tag below names one release of Python on one release of Debian. To hold the very same bytes, give its digest:
# --build-arg PYTHON=3.11.13-slim-bookworm@sha256:...
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# What builds the package, and what it needs: each by its hash, in an environment of its own.
COPY deploy/requirements.txt deploy/requirements-build.txt ./
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-build.txt \
 && python -m venv --without-pip /opt/orderflow \
 && /opt/build/bin/uv pip install --python /opt/orderflow/bin/python --no-cache --compile-bytecode \
    --require-hashes --only-binary :all: -r requirements.txt

COPY pyproject.toml setup.py README.md LICENSE ./
COPY src src
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && /opt/build/bin/uv pip install --python /opt/orderflow/bin/python --no-cache --compile-bytecode --no-deps wheels/*.whl


FROM python:${PYTHON}
LABEL org.opencontainers.image.title="orderflow" \
      org.opencontainers.image.description="Event-driven order flow for food delivery" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes --root-user-action ignore setuptools wheel pip \
 && groupadd --gid 10001 orderflow \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/orderflow --shell /usr/sbin/nologin orderflow \
 && install --directory --owner 10001 --group 10001 /var/lib/orderflow
COPY --from=build /opt/orderflow /opt/orderflow
ENV PATH=/opt/orderflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORDERFLOW_LOG_FORMAT=json \
    ORDERFLOW_HTTP_HOST=0.0.0.0 \
    ORDERFLOW_HTTP_PORT=8080 \
    ORDERFLOW_OPS_HOST=0.0.0.0 \
    ORDERFLOW_OPS_PORT=9464
WORKDIR /var/lib/orderflow
USER 10001:10001
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# Every process has the operations door; a command that ends has none and needs none.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ORDERFLOW_OPS_PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["orderflow"]
CMD ["serve"]
