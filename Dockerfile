# Limulus where there is no Debian: Windows, macOS, any Linux with Docker.
#
#   docker build -t limulus .
#   docker run --rm -it limulus ./run alexnet
#   docker run --rm -it -v "$PWD:/limulus" limulus ./run test     # your own copy in place of the image's
#
# On an ARM Mac add --platform linux/amd64 to both commands: the kernels are for x86-64.
FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git python3 gdb
WORKDIR /limulus
COPY . .
# `./run` installs what the build needs, and says what for; it builds everything, and runs core's tests.
RUN ./run test -L core && rm -rf /var/lib/apt/lists/*
CMD ["bash"]
