# Jifendai 积分贷. Build 构建: docker build -t jifendai .
# Run 运行: docker run -p 127.0.0.1:8000:8000 -v jifendai:/var/lib/jifendai jifendai
#   Without settings: the embedded database in the volume. 默认使用数据卷内的嵌入式数据库。
#   PostgreSQL: -e JIFENDAI_DATABASE_URL=postgresql://… ; any number of replicas, the first to start migrates.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/jifendai
RUN python -m venv .venv
# The lock alone first: this layer is built anew only when a dependency moves.
COPY requirements.lock ./
RUN .venv/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY . .
# In place, as `make run` does it: the migrations and the product files lie beside the code that reads them.
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation --no-index -e .
# Compiled here, as the account that runs the service cannot write bytecode; the last line fails a broken image early.
RUN .venv/bin/python -m compileall -q app migrations .venv/lib/python3*/site-packages \
 && .venv/bin/jifendai --help > /dev/null

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Jifendai 积分贷"
# A fixed number, so that a volume or a cluster policy can name the account.
RUN groupadd --system --gid 10001 jifendai \
 && useradd --system --uid 10001 --gid jifendai --no-create-home --home-dir /var/lib/jifendai jifendai \
 && install -d -o jifendai -g jifendai -m 0700 /var/lib/jifendai
# The code belongs to root: the service cannot change itself.
COPY --from=build /opt/jifendai /opt/jifendai
ENV PATH=/opt/jifendai/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    JIFENDAI_HOST=0.0.0.0 \
    JIFENDAI_PORT=8000 \
    JIFENDAI_DATA_DIR=/var/lib/jifendai
USER 10001:10001
WORKDIR /opt/jifendai
VOLUME /var/lib/jifendai
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['JIFENDAI_PORT'] + '/readyz', timeout=2)"]
CMD ["jifendai", "serve"]
