# Studies on a CPU: docker build -t stability . && docker run --rm -v "$PWD:/work" stability run studies/quickstart.yaml
FROM python:3.12-slim
RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /src/
COPY stability /src/stability
RUN pip install --no-cache-dir /src
WORKDIR /work
ENTRYPOINT ["stability"]
