# Warrener's image: Python, Warrener, and pip for `--requirements`. It runs as no special user, on a read-only root.
#
# The tag is pinned by version. Whoever mirrors this image should pin the digest, too: python:3.13.13-slim@sha256:...

ARG PYTHON=python:3.13.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM ${PYTHON}
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
COPY --from=build /wheels /wheels
# With what talks to Kubernetes, for the pod of a batch that runs by a schedule, with what Prometheus asks workers, and with the page.
RUN python -m pip install --no-cache-dir "$(echo /wheels/*.whl)[kubernetes,metrics,web]" && rm -r /wheels
# The user of the manifests, by number, so that Kubernetes sees that it is not root.
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["python", "-m", "warrener"]
