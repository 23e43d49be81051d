# A CPU image: docker build -t collapse-sweep .
# For NVIDIA's GPUs: docker build -t collapse-sweep --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
# Then: docker run --rm --shm-size 2g -v "$PWD:/work" collapse-sweep run quickstart    (results: ./collapse-runs)
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=images,s3

ENV PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/collapse-sweep
COPY constraints.txt ./
RUN pip install -c constraints.txt --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple torch
COPY pyproject.toml README.md ./
COPY trainables trainables
COPY search_spaces search_spaces
COPY analysis analysis
COPY sweep sweep
RUN pip install -c constraints.txt --extra-index-url "$TORCH_INDEX" ".[$EXTRAS]" \
    && useradd --create-home sweep \
    && install --directory --owner sweep /work

USER sweep
WORKDIR /work
ENTRYPOINT ["collapse-sweep"]
CMD ["--help"]
